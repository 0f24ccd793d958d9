"""Workers that are killed at random moments, again and again: whatever they had begun is finished by another."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import docker
import psycopg
import pytest

from provisioner.engine.leases import TERM
from provisioner.runtimes import docker_spec
from shared.contracts.state_folder import StateFolder
from shared.kernel.clock import SystemClock
from shared.registry import publishing
from tests.support import gateway, workers
from tests.support import registry as registry_support
from tests.support.registry import Subscribed, subscribed
from tests.support.waiting import until

BATCHES = 5
EACH = 10
AFTER_THE_LEASE = 5.0
"""Seconds in which another worker finds what is free and finishes it."""


@pytest.fixture
def settings(
    registry_url: str, redis_url: str, state_dir: Path, tenant_image: str, docker_engine: docker.DockerClient
) -> Iterator[dict[str, str]]:
    """A host with a gateway; no worker yet."""
    workers.write_key_ring(StateFolder(state_dir))
    with ExitStack() as held:
        running = held.enter_context(gateway.running(state_dir, confined=False))
        yield {
            "STATE_DIR": str(state_dir),
            "REGISTRY_URL": registry_url,
            "BROKER_URL": redis_url,
            "DOMAIN": "loam.localhost",
            "HTTPS_PORT": str(running.gateway.https_port),
            "CA_FILE": str(running.gateway.authority),
            "RUNTIME": "docker",
            "TENANT_IMAGE": tenant_image,
        }
    for container in docker_engine.containers.list(all=True, filters=docker_spec.filters(state_dir)):
        container.remove(force=True)


@pytest.mark.containers
async def test_of_fifty_starts_those_whose_worker_is_killed_are_finished_by_another(
    settings: dict[str, str], docker_engine: docker.DockerClient
) -> None:
    chance = random.Random(50)  # noqa: S311 - reproducible on purpose
    log = Path(settings["STATE_DIR"]) / "worker.log"
    async with registry_support.connected(settings["REGISTRY_URL"]) as database:
        for _ in range(BATCHES):
            with (
                workers.worker(settings, log.with_suffix(".first")) as first,
                workers.worker(settings, log.with_suffix(".second")),
            ):
                begun = [await _subscribe(database, settings) for _ in range(EACH)]
                until(partial(_some_are_taken, settings, begun), what="a lease to be taken")
                moment = time.monotonic() + chance.uniform(0, 2.5)
                until(lambda ends=moment: time.monotonic() >= ends, what="the moment")
                first.kill()
                within = TERM.total_seconds() + AFTER_THE_LEASE
                until(partial(_all_succeeded, settings, begun), what="all to run", seconds=within)
            found = docker_engine.containers.list(all=True, filters=docker_spec.filters(Path(settings["STATE_DIR"])))
            names = {docker_spec.name_for(customer.substrate) for customer in begun}
            assert {container.name for container in found} == names, "one server each, and nobody else's"
            for container in found:
                container.remove(force=True)
            _forget(settings)


async def _subscribe(database: Any, settings: dict[str, str]) -> Subscribed:
    addresses = publishing.Addresses("loam.localhost", int(settings["HTTPS_PORT"]))
    signer = publishing.Signer(registry_support.SIGNING, registry_support.PROBE, addresses)
    now = SystemClock().now()
    async with database.transaction() as tx:
        customer = await subscribed(tx, now=now)
        await publishing.publish(tx, customer.substrate, signer, now, push_due_at=None)
    return customer


def _statuses(settings: dict[str, str], begun: list[Subscribed]) -> list[str]:
    with psycopg.connect(settings["REGISTRY_URL"]) as connection:
        wanted = [customer.operation for customer in begun]
        return [row[0] for row in connection.execute("SELECT status FROM operation WHERE id = ANY(%s)", [wanted])]


def _some_are_taken(settings: dict[str, str], begun: list[Subscribed]) -> bool:
    return "running" in _statuses(settings, begun)


def _all_succeeded(settings: dict[str, str], begun: list[Subscribed]) -> bool:
    return set(_statuses(settings, begun)) == {"succeeded"}


def _forget(settings: dict[str, str]) -> None:
    """Nobody shall bring this batch back while the next one is watched."""
    with psycopg.connect(settings["REGISTRY_URL"]) as connection:
        connection.execute("UPDATE substrate SET status = 'failed' WHERE status = 'running'")
