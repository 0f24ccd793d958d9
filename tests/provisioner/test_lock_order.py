"""Control plane and worker change the same rows at the same time, and neither is ever refused for it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from provisioner.engine.program import Turn
from provisioner.programs import destroy_substrate, start_substrate
from provisioner.programs.tools import note_observed
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import Status as Operated
from shared.registry import operations, substrates
from shared.registry.database import Database
from shared.registry.operations import Failure
from shared.registry.substrates import Observed
from tests.support.hosts import Host

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def blocked(database: Database) -> None:
    """Until some transaction waits for a row that another one holds."""
    async with asyncio.timeout(10):
        while True:
            async with database.transaction() as tx:
                if await tx.value(WAITING):
                    return
            await asyncio.sleep(0)


async def turn_of(host: Host, operation: OperationId) -> Turn:
    now = host.clock.now()
    async with host.database.transaction() as tx:
        taken = await operations.claim_lease(tx, operation, "worker-1", now, now + timedelta(minutes=1))
    assert taken is not None
    return Turn(*taken)


async def observes(turn: Turn, host: Host) -> None:
    await note_observed(turn, host.tools, Observed.UNKNOWN, 1)


async def becomes_ready(turn: Turn, host: Host) -> None:
    await start_substrate.wait_until_ready(turn, host.tools)


async def gives_up(turn: Turn, host: Host) -> None:
    failure = Failure(code="broken", detail="It broke.")
    now = host.clock.now()
    async with host.database.transaction() as tx:
        await operations.update_ended(tx, turn.lease, Operated.FAILED, now, steps=(), error=failure)
        await start_substrate.PROGRAM.on_give_up(tx, turn.operation, failure, host.tools)


@pytest.mark.parametrize("act", [observes, becomes_ready, gives_up])
async def test_a_deletion_and_a_worker_at_the_same_operation_wait_for_each_other(
    host: Host, act: Callable[[Turn, Host], Awaitable[None]]
) -> None:
    customer = await host.subscribe()
    turn = await turn_of(host, customer.operation)
    await start_substrate.make_folders(turn, host.tools)
    await start_substrate.carry_policy(turn, host.tools)
    spec = (await host.substrate(customer.substrate)).spec
    await host.runtime.ensure_running(host.tools.launch(spec))

    async with host.database.transaction() as tx:  # as a deletion does it
        await substrates.claim(tx, customer.substrate)
        working = asyncio.ensure_future(act(turn, host))
        await blocked(host.database)
        found = await operations.find_active(tx, customer.substrate)
        assert found is not None
        await operations.update_canceled(tx, found.id, host.clock.now())

    with pytest.raises(operations.LeaseLost):
        await working


async def test_a_deletion_asked_for_again_waits_until_the_rows_are_forgotten(host: Host) -> None:
    customer = await host.started()
    turn = await turn_of(host, await host.ask_to_destroy(customer))
    for step in (destroy_substrate.close_the_edge, destroy_substrate.stop_server, destroy_substrate.remove_folders):
        await step(turn, host.tools)

    async with host.database.transaction() as tx:  # as a deletion does it
        await substrates.claim(tx, customer.substrate)
        working = asyncio.create_task(destroy_substrate.forget_rows(turn, host.tools))
        await blocked(host.database)
        assert await operations.find_active(tx, customer.substrate) is not None

    await working
