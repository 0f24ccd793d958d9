"""A lease is kept while its worker lives, and given up in time when the registry cannot be reached."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from provisioner.engine.leases import RENEWAL, TERM, Leases
from shared.registry import operations
from shared.registry.operations import Lease
from tests.support.breaking import Breaker
from tests.support.clock import ManualClock
from tests.support.hosts import Host


@pytest.fixture
def clock() -> ManualClock:
    """Every sleep waits for the test."""
    return ManualClock(at_once=timedelta(microseconds=-1))


def leases_of(host: Host, clock: ManualClock, database: Any = None) -> Leases:
    return Leases(database or host.database, clock, "worker-1")


async def taken(host: Host, leases: Leases) -> Lease:
    found = await leases.take((await host.subscribe()).operation)
    assert found is not None
    return found[1]


async def lease_until(host: Host, lease: Lease) -> Any:
    async with host.database.transaction() as tx:
        return await tx.value("SELECT lease_until FROM operation WHERE id = :id", {"id": lease.operation})


async def pass_time(clock: ManualClock, keeping: asyncio.Task[None], by: timedelta) -> None:
    """Second by second, letting whoever wakes up do its work."""
    for _ in range(int(by.total_seconds())):
        clock.advance(timedelta(seconds=1))
        await asyncio.wait({keeping}, timeout=0.05)


async def test_a_kept_lease_outlives_its_term_many_times(host: Host, clock: ManualClock) -> None:
    leases = leases_of(host, clock)
    lease = await taken(host, leases)
    keeping = asyncio.create_task(leases.keep(lease))

    await pass_time(clock, keeping, TERM * 3)

    assert not keeping.done()
    assert await lease_until(host, lease) > clock.now() + RENEWAL
    keeping.cancel()


async def test_a_lease_that_another_has_taken_is_noticed_at_the_next_renewal(host: Host, clock: ManualClock) -> None:
    leases = leases_of(host, clock)
    lease = await taken(host, leases)
    keeping = asyncio.create_task(leases.keep(lease))
    async with host.database.transaction() as tx:
        await operations.update_canceled(tx, lease.operation, clock.now())

    await pass_time(clock, keeping, RENEWAL + timedelta(seconds=1))

    assert keeping.done()


async def test_a_renewal_that_fails_once_is_tried_again(host: Host, clock: ManualClock) -> None:
    breaker = Breaker(number=1, error=ConnectionResetError)
    leases = leases_of(host, clock, breaker.wrap(host.database, "database"))
    lease = await taken(host, leases)
    keeping = asyncio.create_task(leases.keep(lease))

    await pass_time(clock, keeping, TERM * 2)

    assert breaker.broken
    assert not keeping.done()
    assert await lease_until(host, lease) > clock.now()
    keeping.cancel()


async def test_a_worker_that_cannot_reach_the_registry_stops_before_its_term_has_run_out(
    host: Host, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = leases_of(host, clock)
    lease = await taken(host, leases)
    until = await lease_until(host, lease)

    def away() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(host.database, "transaction", away)
    keeping = asyncio.create_task(leases.keep(lease))
    await pass_time(clock, keeping, TERM - timedelta(seconds=1))

    assert keeping.done()
    assert clock.now() < until


async def test_giving_back_a_lease_that_is_lost_is_no_error(host: Host, clock: ManualClock) -> None:
    leases = leases_of(host, clock)
    lease = await taken(host, leases)
    async with host.database.transaction() as tx:
        await operations.update_canceled(tx, lease.operation, clock.now())

    await leases.give_back(lease)
