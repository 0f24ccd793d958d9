"""A start that failed or was canceled leaves no server behind, and its data where it is."""

import asyncio

import pytest

from provisioner.programs.halt_server import halt_server
from provisioner.programs.push_policy import push_policy
from provisioner.programs.watch import watch
from provisioner.runtimes.runtime import Launch
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Event, Status
from shared.registry import operations, policies, publishing, substrates
from tests.provisioner.test_races import Gate
from tests.support import registry as registry_support
from tests.support.hosts import Host
from tests.support.registry import Subscribed


async def to_halt(host: Host) -> list[SubstrateId]:
    async with host.database.transaction() as tx:
        return await substrates.list_to_halt(tx, host.clock.now(), 10)


async def cancel(host: Host, customer: Subscribed) -> None:
    """As the control plane."""
    async with host.database.transaction() as tx:
        await substrates.claim(tx, customer.substrate)
        await operations.update_canceled(tx, customer.operation, host.clock.now())
        await substrates.update_status(tx, customer.substrate, Event.GAVE_UP, host.clock.now())


async def retry(host: Host, customer: Subscribed) -> None:
    """As the control plane."""
    now = host.clock.now()
    async with host.database.transaction() as tx:
        await substrates.update_status(tx, customer.substrate, Event.RETRIED, now)
        await operations.update_retried(tx, customer.operation, now, now.replace(year=now.year + 1))


@pytest.fixture
async def canceled(host: Host) -> Subscribed:
    """A start that was canceled when its server had just begun to run."""
    customer = await host.subscribe()
    gate = Gate("whoami", after=False)
    starting = asyncio.create_task(host.advance(customer.operation, tools=gate.guard(host.tools)))
    await asyncio.wait_for(gate.reached.wait(), 10)
    await cancel(host, customer)
    gate.opened.set()
    await starting
    assert await host.runtime.is_running(customer.substrate)
    return customer


async def test_the_sweep_finds_the_server_of_a_canceled_start(host: Host, canceled: Subscribed) -> None:
    assert await to_halt(host) == [canceled.substrate]

    await halt_server(canceled.substrate, host.tools)

    assert host.runtime.servers == {}
    assert not host.tools.places.folders_of((await host.substrate(canceled.substrate)).spec).edge.exists()
    assert await to_halt(host) == []


async def test_its_data_is_kept_and_it_can_be_started_again(host: Host, canceled: Subscribed) -> None:
    memory = host.tools.places.folders_of((await host.substrate(canceled.substrate)).spec).data / "memory"
    memory.write_text("kept")
    await halt_server(canceled.substrate, host.tools)

    await retry(host, canceled)
    await host.advance(canceled.operation)

    assert (await host.substrate(canceled.substrate)).status is Status.RUNNING
    assert await host.runtime.is_running(canceled.substrate)
    assert memory.read_text() == "kept"


async def test_a_start_that_has_been_retried_is_left_alone(host: Host, canceled: Subscribed) -> None:
    await retry(host, canceled)

    assert await to_halt(host) == []
    await halt_server(canceled.substrate, host.tools)

    assert await host.runtime.is_running(canceled.substrate)


async def test_a_start_that_was_canceled_before_it_began_leaves_nothing_to_stop(host: Host) -> None:
    customer = await host.subscribe()

    await cancel(host, customer)

    assert await to_halt(host) == []


async def test_what_an_engine_finishes_after_a_cancellation_is_stopped_too(host: Host, canceled: Subscribed) -> None:
    await halt_server(canceled.substrate, host.tools)
    spec = (await host.substrate(canceled.substrate)).spec
    await host.runtime.ensure_running(Launch(spec, host.tools.places.folders_of(spec), spec.uid))

    await watch(host.tools)

    assert host.runtime.servers == {}


async def test_until_then_its_server_is_told_of_every_change(host: Host, canceled: Subscribed) -> None:
    now = host.clock.now()
    async with host.database.transaction() as tx:
        policy = await publishing.publish(tx, canceled.substrate, registry_support.SIGNER, now, push_due_at=now)

    await push_policy(canceled.substrate, host.tools)

    assert host.tenants.enforced[canceled.substrate] == policy.order
    async with host.database.transaction() as tx:
        assert (await policies.get(tx, canceled.substrate)).acknowledged == policy.order
