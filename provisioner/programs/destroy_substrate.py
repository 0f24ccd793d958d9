"""Destroy a substrate: its address, its server, its data, its keys.

It must cope with a start that stopped anywhere, and with a step of a canceled start that still runs on some worker.
Asking for a deletion takes that start's lease away in the same transaction. A step of it that has seen its lease
under the substrate's lock acts before we get the lock; one that has not, acts no more. What slips through all the
same, such as a container whose creation the engine finishes after its caller has died, is found by `watch`.
"""

from datetime import datetime
from typing import Final

from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.programs.start_substrate import WORKER
from provisioner.programs.tools import Tools, alone_with, note_observed, substrate_of
from shared.contracts.operations import CHANNEL_POLICY, Kind
from shared.lifecycle import subscription as billing
from shared.lifecycle.substrate import Event, Status
from shared.registry import (
    api_keys,
    audit,
    backup_keys,
    backups,
    operations,
    policies,
    receipts,
    restrictions,
    subscriptions,
    substrates,
)
from shared.registry.database import Tx
from shared.registry.receipts import Destroyed, Receipt
from shared.registry.substrates import Observed, Substrate

EVERY_ORDER: Final = (2**31 - 1, 2**31 - 1)
"""Later than any policy: nothing is left to revoke."""


class NotBeingDeleted(GiveUp):
    """Whoever asks for a destruction marks the substrate first; nothing else is ever destroyed."""

    code = "not_being_deleted"
    public = "This substrate is not being deleted, so nothing of it was touched."
    next_action = "Delete it if it shall go."


async def close_the_edge(turn: Turn, tools: Tools) -> Outcome:
    """Out of the gateway's sight, by one rename."""
    substrate = await substrate_of(turn, tools)
    if substrate.status not in {Status.DELETING, Status.DELETED}:
        raise NotBeingDeleted(status=substrate.status.value)
    spec = substrate.spec
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
        await receipts.insert(tx, substrate.account, await _receipt(tx, substrate, turn, now))
        await restrictions.delete_of(tx, substrate.id)
        await api_keys.delete_of(tx, substrate.id)
        await policies.delete(tx, substrate.id)
        await backup_keys.delete(tx, substrate.id)
        await backups.update_all_leaving(tx, substrate.id)
        await substrates.delete_usage(tx, substrate.id)
        await operations.update_followed_revocations(tx, substrate.id, EVERY_ORDER, now)
        await _end_subscription(tx, substrate, now)
        await audit.insert(tx, substrate.account, WORKER, "substrate_destroyed", now, substrate=substrate.id)
        await tx.notify(CHANNEL_POLICY, substrate.id)
    return Done()


async def _receipt(tx: Tx, substrate: Substrate, turn: Turn, now: datetime) -> Receipt:
    """What is gone, in figures. Before the rows that it is made from are."""
    usage = await substrates.find_usage(tx, substrate.id)
    return Receipt(
        substrate_id=substrate.id,
        slug=substrate.slug,
        subscription_id=substrate.subscription,
        plan=substrate.terms.id,
        created_at=substrate.created_at,
        asked_at=turn.operation.created_at,
        destroyed_at=now,
        destroyed=Destroyed(
            atoms=usage.atoms if usage else None,
            storage_bytes=usage.storage_bytes if usage else None,
            keys=await api_keys.count_live(tx, substrate.id),
        ),
        # Their key goes with this transaction, so that moment is their end, wherever copies of them lie.
        last_backup_ends_at=now if await backups.list_ready(tx, substrate.id) else None,
    )


async def _end_subscription(tx: Tx, substrate: Substrate, now: datetime) -> None:
    """A subscription that was canceled has nothing left to wait for. One that still runs may get another substrate."""
    state = (await subscriptions.get(tx, substrate.subscription)).state
    if state is billing.State.CANCELED:
        becomes = billing.after(state, billing.Event.PERIOD_OVER)
        await subscriptions.update_state(tx, substrate.subscription, was=state, becomes=becomes, now=now)


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
