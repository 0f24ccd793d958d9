"""A server that is put to sleep loses no request, and is not put to sleep while somebody uses it."""

import asyncio
from datetime import timedelta

import httpx

from data_plane.edge.activity import STREAM_SECONDS, Activity
from tests.support.policies import PROBE
from tests.support.tenant import MovedClock, Tenant

PATIENCE_SECONDS = 10


async def drain(tenant: Tenant, idle_ms: int = 0) -> dict[str, object]:
    answer = await tenant.control.post("/drain", json={"idle_ms": idle_ms})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def status(tenant: Tenant) -> dict[str, object]:
    found: dict[str, object] = (await tenant.control.get("/status")).json()
    return found


async def test_idle_is_counted_from_the_last_request_with_a_key(tenant: Tenant) -> None:
    await tenant.call("GET", "/v1/whoami")
    tenant.clock.move(timedelta(minutes=5))

    assert (await status(tenant))["idle_ms"] == 300_000


async def test_neither_strangers_nor_the_hosts_probe_keep_it_awake(tenant: Tenant) -> None:
    await tenant.call("GET", "/v1/whoami")
    tenant.clock.move(timedelta(seconds=30))

    await tenant.edge.get("/healthz")
    await tenant.call("GET", "/v1/whoami", key="mmk_wrong")
    await tenant.call("GET", "/v1/whoami", key=PROBE)

    assert (await status(tenant))["idle_ms"] == 30_000


async def test_one_that_was_used_lately_does_not_drain(tenant: Tenant) -> None:
    await tenant.call("GET", "/v1/whoami")

    answer = await drain(tenant, idle_ms=1000)

    assert answer["drained"] is False
    assert tenant.files.live_socket.exists()
    assert (await status(tenant))["draining"] is False


async def test_one_that_drained_is_found_by_nobody_and_says_so(tenant: Tenant) -> None:
    tenant.clock.move(timedelta(minutes=15))

    answer = await drain(tenant, idle_ms=900_000)

    assert answer["drained"] is True
    assert not tenant.files.live_socket.exists()
    assert (await status(tenant))["draining"] is True
    assert (await drain(tenant, idle_ms=900_000))["drained"] is True


async def test_whoever_came_before_is_served(tenant: Tenant) -> None:
    closed = asyncio.Event()

    async def body():
        yield b'{"atoms": [{"content": '
        await closed.wait()
        yield b'"sent while it drained"}]}'

    headers = {**tenant.headers(), "Content-Type": "application/json"}
    async with asyncio.timeout(PATIENCE_SECONDS):
        saving = asyncio.create_task(tenant.edge.post("/v1/atoms", content=body(), headers=headers))
        while (await status(tenant))["open_exchanges"] == 0:
            pass  # each look is a request of its own, so the save goes on meanwhile
        draining = asyncio.create_task(drain(tenant))
        while tenant.files.live_socket.exists():
            await status(tenant)
        closed.set()
        drained = await draining

    assert drained["drained"] is True
    assert (await saving).status_code == httpx.codes.OK


def test_an_open_stream_counts_while_bytes_move_and_an_hour_longer() -> None:
    clock = MovedClock()
    activity = Activity(clock.monotonic)
    with activity.exchange():
        clock.move(timedelta(seconds=STREAM_SECONDS - 1))
        was_open = (activity.count_open(), activity.idle_ms())
        clock.move(timedelta(seconds=1))
        forgotten = activity.count_open()

    assert was_open == (1, 0)
    assert forgotten == 0
