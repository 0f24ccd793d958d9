"""A server that nobody uses goes to sleep, and no other does."""

from datetime import timedelta

import pytest

from provisioner.programs.sleep_substrate import Dozing
from shared.contracts.tenant_server import Status, Usage
from shared.kernel.ids import SubstrateId
from shared.registry import operations, substrates
from shared.registry.substrates import Observed
from tests.support.hosts import Host

AN_HOUR = 3_600_000


def idle(host: Host, substrate: SubstrateId, idle_ms: int, *, draining: bool = False) -> None:
    """Its server says that nobody has used it for so long."""
    usage = Usage(atoms=7, storage_bytes=4096, month="2026-11")
    host.tenants.status_of[substrate] = Status(
        substrate=substrate, epoch=1, generation=1, usage=usage, idle_ms=idle_ms, draining=draining
    )


async def doze(host: Host, sleep_after: timedelta | None = None) -> None:
    await Dozing(sleep_after).round(host.tools)


async def test_a_shared_server_sleeps_when_its_plan_says_so(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, 15 * 60_000)

    await doze(host)

    assert host.runtime.servers == {}
    assert host.tenants.drains == [customer.substrate]
    assert (await host.substrate(customer.substrate)).observed is Observed.ABSENT


async def test_the_last_figures_stay_known_while_it_sleeps(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, AN_HOUR)

    await doze(host)

    async with host.database.transaction() as tx:
        usage = await substrates.find_usage(tx, customer.substrate)
    assert usage is not None
    assert (usage.atoms, usage.observed_at) == (7, host.clock.now())


async def test_a_sleep_is_no_operation(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, AN_HOUR)

    await doze(host)

    async with host.database.transaction() as tx:
        assert await operations.find_newest_active(tx, customer.substrate) is None


@pytest.mark.parametrize("idle_ms", [0, 14 * 60_000])
async def test_one_that_was_used_lately_stays_awake(host: Host, idle_ms: int) -> None:
    customer = await host.started()
    idle(host, customer.substrate, idle_ms)

    await doze(host)

    assert await host.runtime.is_running(customer.substrate)


async def test_a_dedicated_one_never_sleeps(host: Host) -> None:
    customer = await host.started("team")
    idle(host, customer.substrate, 100 * AN_HOUR)

    await doze(host, timedelta(seconds=1))

    assert await host.runtime.is_running(customer.substrate)


async def test_one_that_is_used_in_the_last_moment_stays_awake(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, AN_HOUR)
    host.tenants.busy.add(customer.substrate)

    await doze(host)

    assert await host.runtime.is_running(customer.substrate)


async def test_one_that_an_operation_is_busy_with_is_left_to_it(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, AN_HOUR)
    await host.ask_to_destroy(customer)

    await doze(host)

    assert await host.runtime.is_running(customer.substrate)
    assert host.tenants.drains == []


async def test_a_silent_server_is_not_stopped_in_the_middle_of_whatever_it_does(host: Host) -> None:
    customer = await host.started()
    host.tenants.silent.add(customer.substrate)

    await doze(host)

    assert await host.runtime.is_running(customer.substrate)


async def test_a_drain_that_nobody_finished_is_finished(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, AN_HOUR, draining=True)

    await doze(host)

    assert host.runtime.servers == {}


async def test_an_operators_time_replaces_the_plans(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, 2_000)

    await doze(host, timedelta(seconds=2))

    assert host.runtime.servers == {}


async def test_each_is_asked_again_only_when_it_can_have_been_idle_for_long_enough(host: Host) -> None:
    customer = await host.started()
    idle(host, customer.substrate, 0)
    dozing = Dozing(None)
    await dozing.round(host.tools)
    idle(host, customer.substrate, AN_HOUR)

    host.clock.advance(timedelta(minutes=14))
    await dozing.round(host.tools)
    was_awake = await host.runtime.is_running(customer.substrate)
    host.clock.advance(timedelta(minutes=1))
    await dozing.round(host.tools)

    assert was_awake
    assert host.runtime.servers == {}
