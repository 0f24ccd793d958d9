"""Beginning a destruction for good, and holding or undoing one: what customers, operators and the clock share.

Inside a transaction whose caller holds the substrate's row. Whoever calls these rings `push_policy`, and `advance`
where an operation is due, after the commit.
"""

from datetime import datetime

from control_plane.actions.propagation import publish_change
from control_plane.actions.settling import lift, plan_next, restrict
from control_plane.actions.tools import Tools
from shared.contracts.operations import COURSES, Kind
from shared.kernel.ids import OperationId, SubscriptionId
from shared.lifecycle.subscription import Event as BillingEvent
from shared.lifecycle.subscription import State, after
from shared.lifecycle.subscription_times import UNDO
from shared.lifecycle.substrate import Event, Reason, Status
from shared.registry import operations, subscriptions, substrates
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.substrates import Substrate


async def begin(tools: Tools, tx: Tx, row: Substrate, now: datetime) -> Operation:
    """Nothing brings it back from here: what is under way is called off, its keys die, its subscription ends."""
    active = await operations.find_active(tx, row.id)
    if active is not None and active.kind is Kind.DESTROY_SUBSTRATE:
        return active
    if active is not None:
        await operations.update_canceled(tx, active.id, now)
    if row.status is not Status.DELETING:  # else an earlier attempt failed, and the work is begun anew
        await substrates.update_status(tx, row.id, Event.DELETION_ASKED, now)
        await _end_billing(tx, row.subscription, now)
    await publish_change(tools, tx, await substrates.get(tx, row.id), now)
    held = await operations.find_held(tx, row.id)
    if held is not None:
        await operations.update_released(tx, held.id, now, now + COURSES[Kind.DESTROY_SUBSTRATE].deadline)
        return await operations.get(tx, held.id)
    return await _insert(tools, tx, row, now)


async def hold(tools: Tools, tx: Tx, row: Substrate, now: datetime) -> Operation:
    """Ask for a destruction that can be undone: read_only at once, destroyed later. Nothing else waits for it."""
    held = await operations.find_held(tx, row.id)
    if held is not None:
        return held
    await restrict(tools, tx, row.id, Reason.DELETION, now)
    return await _insert(tools, tx, row, now, held_until=now + UNDO)


async def undo(tools: Tools, tx: Tx, row: Substrate, held: Operation, now: datetime) -> bool:
    """As if it had never been asked for; `False` when its time is over or it has begun."""
    if held.held_until is None or held.held_until <= now or not await operations.update_canceled(tx, held.id, now):
        return False
    await lift(tools, tx, row.id, Reason.DELETION, now)
    await plan_next(tx, row.subscription)
    return True


async def _end_billing(tx: Tx, identifier: SubscriptionId, now: datetime) -> None:
    """Nothing is charged any more; the clock has nothing left to do, since the worker ends it with the data."""
    subscription = await subscriptions.claim(tx, identifier)
    if subscription.state not in {State.CANCELED, State.ENDED}:
        becomes = after(subscription.state, BillingEvent.CANCELED)
        await subscriptions.update_state(tx, identifier, was=subscription.state, becomes=becomes, now=now)
    await subscriptions.update_due(tx, identifier, None)


async def _insert(
    tools: Tools, tx: Tx, row: Substrate, now: datetime, *, held_until: datetime | None = None
) -> Operation:
    operation = OperationId(tools.ids.new("op"))
    await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, row.account, row.id, now, held_until=held_until)
    return await operations.get(tx, operation)
