"""Readiness as a customer would see it: through the real gateway, over TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.gateway_probe import HttpsProbe, Readiness
from shared.kernel.ids import Slug
from shared.registry.publishing import Addresses
from tests.support import gateway
from tests.support.gateway import RunningGateway
from tests.support.policies import SLUG
from tests.support.unix_server import Answer, Asked, serving

TOKEN = "lpb_" + "1" * 64


@pytest.fixture
def running(state_dir: Path) -> Iterator[RunningGateway]:
    with gateway.running(state_dir, confined=False) as started:
        yield started


def probe_of(running: RunningGateway, **other: object) -> HttpsProbe:
    addresses = Addresses("loam.localhost", running.gateway.https_port)
    return HttpsProbe(addresses, **{"gateway": "127.0.0.1", "ca_file": running.gateway.authority, **other})  # type: ignore[arg-type]


async def test_an_authenticated_answer_from_its_address_is_ready(running: RunningGateway) -> None:
    with serving(running.gateway.edge / SLUG / "live.sock", lambda _: Answer(body=b"{}")) as asked:
        found = await probe_of(running).whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.READY
    (request,) = asked
    assert (request.method, request.path) == ("GET", "/v1/whoami")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Host"].split(":")[0] == f"{SLUG}.loam.localhost"


async def test_a_server_that_does_not_know_the_token_has_refused(running: RunningGateway) -> None:
    def refuse(_: Asked) -> Answer:
        return Answer(status=401)

    with serving(running.gateway.edge / SLUG / "live.sock", refuse):
        found = await probe_of(running).whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.REFUSED


async def test_a_server_that_is_not_there_is_not_ready_yet(running: RunningGateway) -> None:
    found = await probe_of(running).whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.NOT_YET
    assert TOKEN not in found.reason


async def test_an_endless_answer_is_not_ready(running: RunningGateway) -> None:
    endless = Answer(parts=(b"x" * 60_000 for _ in range(100)))
    with serving(running.gateway.edge / SLUG / "live.sock", lambda _: endless):
        found = await probe_of(running).whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.NOT_YET


async def test_a_certificate_of_another_authority_is_not_ready(running: RunningGateway) -> None:
    with serving(running.gateway.edge / SLUG / "live.sock", lambda _: Answer(body=b"{}")) as asked:
        found = await probe_of(running, ca_file=None).whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.NOT_YET
    assert asked == [], "the token was not sent to a stranger"


async def test_a_gateway_that_has_no_authority_yet_is_not_ready(running: RunningGateway, tmp_path: Path) -> None:
    found = await probe_of(running, ca_file=tmp_path / "missing").whoami(Slug(SLUG), TOKEN)

    assert found.readiness is Readiness.NOT_YET


async def test_a_gateway_that_is_down_is_not_ready(tmp_path: Path, free_port: int) -> None:
    probe = HttpsProbe(Addresses("loam.localhost", free_port), gateway="127.0.0.1", ca_file=None)

    assert (await probe.whoami(Slug(SLUG), TOKEN)).readiness is Readiness.NOT_YET
