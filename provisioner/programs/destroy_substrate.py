"""Destroy a substrate: its address, its server, its data, its keys.

It must cope with a start that stopped anywhere, and with a step of a canceled start that still runs on some worker.
Asking for a deletion takes that start's lease away in the same transaction. A step of it that has seen its lease
under the substrate's lock acts before we get the lock; one that has not, acts no more. What slips through all the
same, such as a container whose creation the engine finishes after its caller has died, is found by `watch`.
"""

from typing import Final

from provisioner.engine.outcome import Done, GoTo, Outcome
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.programs.start_substrate import WORKER
from provisioner.programs.tools import Tools, alone_with, note_observed, substrate_of
from shared.contracts.operations import CHANNEL_POLICY, Kind
from shared.lifecycle import subscription as billing
from shared.lifecycle.substrate import Event, Status
from shared.registry import api_keys, audit, operations, policies, subscriptions, substrates
from shared.registry.database import Tx
from shared.registry.substrates import Observed, Substrate

EVERY_ORDER: Final = (2**31 - 1, 2**31 - 1)
"""Later than any policy: nothing is left to revoke."""


async def close_the_edge(turn: Turn, tools: Tools) -> Outcome:
    """Out of the gateway's sight, by one rename."""
    spec = (await substrate_of(turn, tools)).spec
    async with alone_with(spec, tools):
        await substrate_of(turn, tools)
        await tools.places.close_edge(spec)
    return GoTo("stop_server")


async def stop_server(turn: Turn, tools: Tools) -> Outcome:
    """No server, and nothing of it in the engine."""
    substrate = await substrate_of(turn, tools)
    async with alone_with(substrate.spec, tools):
        await note_observed(turn, tools, Observed.UNKNOWN, substrate.generation)
        await tools.runtime.ensure_absent(substrate.id)
        await note_observed(turn, tools, Observed.ABSENT, substrate.generation)
    return GoTo("remove_folders")


async def remove_folders(turn: Turn, tools: Tools) -> Outcome:
    """Everything it has written, and the lock with it."""
    spec = (await substrate_of(turn, tools)).spec
    async with alone_with(spec, tools):
        await substrate_of(turn, tools)
        if await tools.runtime.is_running(spec.substrate):
            return GoTo("stop_server")
        await tools.places.remove(spec)
    return GoTo("forget_rows")


async def forget_rows(turn: Turn, tools: Tools) -> Outcome:
    """Keys, policy and usage; the substrate's own row stays, so that its slug is never used again."""
    substrate = await substrate_of(turn, tools)
    if substrate.status is Status.DELETED:
        return Done()
    if await tools.places.is_there(substrate.spec):
        return GoTo("stop_server")
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await substrates.update_status(tx, substrate.id, Event.TORN_DOWN, now)
        await api_keys.delete_of(tx, substrate.id)
        await policies.delete(tx, substrate.id)
        await substrates.delete_usage(tx, substrate.id)
        await operations.update_followed_revocations(tx, substrate.id, EVERY_ORDER, now)
        await _end_subscription(tx, substrate)
        await audit.insert(tx, substrate.account, WORKER, "substrate_destroyed", now, substrate=substrate.id)
        await tx.notify(CHANNEL_POLICY, substrate.id)
    return Done()


async def _end_subscription(tx: Tx, substrate: Substrate) -> None:
    """A subscription that was canceled has nothing left to wait for. One that still runs may get another substrate."""
    state = (await subscriptions.get(tx, substrate.subscription)).state
    if state is billing.State.CANCELED:
        becomes = billing.after(state, billing.Event.PERIOD_OVER)
        await subscriptions.update_state(tx, substrate.subscription, was=state, becomes=becomes)


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.DESTROY_SUBSTRATE,
    steps={
        "close_the_edge": close_the_edge,
        "stop_server": stop_server,
        "remove_folders": remove_folders,
        "forget_rows": forget_rows,
    },
    on_give_up=leave_as_it_is,
)
