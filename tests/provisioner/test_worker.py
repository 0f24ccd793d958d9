"""The worker as a program: real registry, real broker, real gateway, real servers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import docker
import httpx
import psycopg
import pytest
from docker.models.containers import Container

from control_plane.gateways.doorbell import CeleryDoorbell
from provisioner.runtimes import docker_spec
from shared.contracts.operations import Kind
from shared.contracts.state_folder import StateFolder
from shared.kernel.clock import SystemClock
from shared.kernel.ids import OperationId, RandomIds
from shared.lifecycle.operation import Status as Operated
from shared.lifecycle.substrate import Event
from shared.registry import operations, publishing, substrates
from shared.registry.database import Database
from tests.support import gateway, proxy, workers
from tests.support import registry as registry_support
from tests.support.gateway import RunningGateway
from tests.support.registry import Subscribed, subscribed
from tests.support.waiting import until

NOWHERE = "redis://127.0.0.1:1/0"


@dataclass(slots=True)
class Site:
    """Everything that a worker needs around it."""

    registry_url: str
    state: StateFolder
    gateway: RunningGateway
    settings: dict[str, str]

    def log(self, name: str) -> Path:
        return self.state.root / f"{name}.log"

    def status(self, operation: OperationId) -> str:
        with psycopg.connect(self.registry_url) as connection:
            row = connection.execute("SELECT status FROM operation WHERE id = %s", [operation]).fetchone()
        assert row is not None
        return str(row[0])

    def wait_for(self, operation: OperationId, *, seconds: float = 30) -> None:
        until(lambda: self.status(operation) == Operated.SUCCEEDED, what="the operation to succeed", seconds=seconds)

    def ask(self, customer: Subscribed, key: str) -> httpx.Response:
        return self.gateway.ask(
            f"{self.slug(customer)}.loam.localhost", "/v1/whoami", headers={"Authorization": f"Bearer {key}"}
        )

    def slug(self, customer: Subscribed) -> str:
        with psycopg.connect(self.registry_url) as connection:
            row = connection.execute("SELECT slug FROM substrate WHERE id = %s", [customer.substrate]).fetchone()
        assert row is not None
        return str(row[0])


@pytest.fixture
def site(
    registry_url: str, redis_url: str, state_dir: Path, tenant_image: str, docker_engine: docker.DockerClient
) -> Iterator[Site]:
    """A gateway, a waker, a key ring; no worker yet."""
    state = StateFolder(state_dir)
    workers.write_key_ring(state)
    with ExitStack() as held:
        running = held.enter_context(gateway.running(state_dir, confined=False))
        settings = {
            "STATE_DIR": str(state_dir),
            "REGISTRY_URL": registry_url,
            "BROKER_URL": redis_url,
            "DOMAIN": "loam.localhost",
            "HTTPS_PORT": str(running.gateway.https_port),
            "CA_FILE": str(running.gateway.authority),
            "RUNTIME": "docker",
            "TENANT_IMAGE": tenant_image,
            "WATCH_EVERY": "PT1S",
        }
        held.enter_context(workers.waker(settings, state_dir / "waker.log"))
        yield Site(registry_url, state, running, settings)
    for container in docker_engine.containers.list(all=True, filters=docker_spec.filters(state_dir)):
        container.remove(force=True)


async def subscribe(database: Database, site: Site) -> Subscribed:
    addresses = publishing.Addresses("loam.localhost", site.gateway.gateway.https_port)
    signer = publishing.Signer(registry_support.SIGNING, registry_support.PROBE, addresses)
    now = SystemClock().now()
    async with database.transaction() as tx:
        customer = await subscribed(tx, now=now)
        await publishing.publish(tx, customer.substrate, signer, now, push_due_at=None)
    return customer


async def ask_to_destroy(database: Database, customer: Subscribed) -> OperationId:
    operation, now = OperationId(RandomIds().new("op")), SystemClock().now()
    async with database.transaction() as tx:
        await substrates.update_status(tx, customer.substrate, Event.DELETION_ASKED, now)
        await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, now)
    return operation


@pytest.mark.containers
async def test_a_subscriber_is_served_at_its_address_and_gone_after_deletion(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        with workers.worker(site.settings, site.log("worker")) as worker:
            customer = await subscribe(database, site)
            bell = CeleryDoorbell(site.settings["BROKER_URL"])
            bell.advance(customer.operation)
            await bell.close()
            site.wait_for(customer.operation)
            served = site.ask(customer, customer.secret)
            assert served.status_code == 200, served.text

            site.wait_for(await ask_to_destroy(database, customer))
            gone = site.ask(customer, customer.secret)
            assert (gone.status_code, gone.json()["code"]) == (404, "unknown_instance")

            assert worker.stop() == 0
        assert customer.secret not in worker.text()
        lines = [line for line in worker.text().splitlines() if line and line != "worker: Warm shutdown (MainProcess)"]
        assert all(line.startswith("{") for line in lines), lines


@pytest.mark.containers
async def test_a_start_that_is_canceled_leaves_no_server_that_answers(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        with workers.worker({**site.settings, "WATCH_EVERY": "PT1H"}, site.log("worker")):
            customer = await subscribe(database, site)
            until(lambda: docker_of(site), what="a container", seconds=30)

            now = SystemClock().now()
            async with database.transaction() as tx:
                await substrates.claim(tx, customer.substrate)
                assert await operations.update_canceled(tx, customer.operation, now), "it was canceled too late"
                await substrates.update_status(tx, customer.substrate, Event.GAVE_UP, now)

            until(lambda: not docker_of(site), what="the container to go", seconds=15)
            assert site.ask(customer, customer.secret).status_code == 404


@pytest.mark.containers
async def test_provisioning_works_while_the_broker_is_down(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        with workers.worker({**site.settings, "BROKER_URL": NOWHERE}, site.log("worker")) as worker:
            customer = await subscribe(database, site)

            site.wait_for(customer.operation)

            assert site.ask(customer, customer.secret).status_code == 200
            assert worker.stop() == 0


@pytest.mark.containers
async def test_the_operation_of_a_killed_worker_is_finished_by_another_when_its_lease_has_run_out(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        customer = await _held_up(site, database, end=workers.Started.kill)

        with workers.worker(site.settings, site.log("second")):
            site.wait_for(customer.operation, seconds=25)

    assert site.ask(customer, customer.secret).status_code == 200
    assert len(list(docker_of(site))) == 1


@pytest.mark.containers
async def test_a_worker_that_is_stopped_gives_its_leases_back_at_once(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        customer = await _held_up(site, database, end=lambda worker: worker.stop())

        with workers.worker(site.settings, site.log("second")):
            site.wait_for(customer.operation, seconds=8)

    assert site.ask(customer, customer.secret).status_code == 200


@pytest.mark.containers
async def test_work_goes_on_when_the_registry_has_been_away(site: Site) -> None:
    address = urlsplit(site.registry_url)
    assert address.hostname
    assert address.port
    with proxy.running(address.hostname, address.port) as line:
        through = site.registry_url.replace(f":{address.port}/", f":{line.port}/")
        with workers.worker({**site.settings, "REGISTRY_URL": through}, site.log("worker")) as worker:
            line.cut()
            until(lambda: worker.says("registry does not answer"), what="the worker to notice", seconds=15)
            async with registry_support.connected(site.registry_url) as database:
                customer = await subscribe(database, site)
            line.mend()

            site.wait_for(customer.operation, seconds=20)


@pytest.mark.containers
async def test_a_container_that_somebody_removed_is_brought_back(site: Site) -> None:
    async with registry_support.connected(site.registry_url) as database:
        with workers.worker(site.settings, site.log("worker")):
            customer = await subscribe(database, site)
            site.wait_for(customer.operation)

            for container in docker_of(site):
                container.remove(force=True)

            until(
                lambda: site.ask(customer, customer.secret).status_code == 200, what="the server to answer", seconds=20
            )


async def _held_up(site: Site, database: Database, end: Callable[[workers.Started], object]) -> Subscribed:
    """A start that has reached its server and cannot see it answer, when its worker ends."""
    with workers.worker({**site.settings, "GATEWAY_ADDRESS": "127.0.0.9"}, site.log("first")) as first:
        customer = await subscribe(database, site)
        until(lambda: list(docker_of(site)), what="the server to be started", seconds=20)
        end(first)
    assert site.status(customer.operation) == Operated.RUNNING
    return customer


def docker_of(site: Site) -> list[Container]:
    client = docker.from_env()
    try:
        return client.containers.list(filters=docker_spec.filters(site.state.root))
    finally:
        client.close()


def test_a_worker_that_lacks_a_setting_says_which_and_ends(state_dir: Path, registry_url: str) -> None:
    settings = {"STATE_DIR": str(state_dir), "REGISTRY_URL": registry_url, "BROKER_URL": NOWHERE, "RUNTIME": "docker"}
    with workers.program("provisioner.worker", settings, state_dir / "worker.log") as started:
        assert started.process.wait(30) == 78

    assert "worker_setting_missing" in started.text()


def test_a_worker_with_a_misspelt_setting_does_not_start(state_dir: Path) -> None:
    with workers.program("provisioner.worker", {"STATE_DRI": "/x"}, state_dir / "worker.log") as started:
        assert started.process.wait(30) == 78

    assert "Did you mean PROVISIONER_STATE_DIR?" in started.text()
