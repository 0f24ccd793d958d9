"""What time does: trials end, periods renew, what is unpaid or canceled becomes read_only and is destroyed in the end.

Looked for with PostgreSQL alone, by every control plane there is: each change begins with the row's lock and a second
look, so that of any number that have seen something due one does it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

from control_plane.actions import destruction
from control_plane.actions.settling import SPEAKS_FOR, lift, list_coming, move, plan_next, restrict, settle
from control_plane.actions.tools import Tools
from shared.kernel.ids import SubscriptionId, SubstrateId
from shared.kernel.logs import logger
from shared.lifecycle.subscription import Event, State
from shared.lifecycle.subscription_times import Due, a_month_after
from shared.lifecycle.substrate import Reason, Status
from shared.registry import audit, operations, restrictions, subscriptions, substrates
from shared.registry.audit import Actor, ActorKind
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.subscriptions import Subscription

log = logger(__name__)

CLOCKWORK: Final = Actor(ActorKind.SYSTEM, "clockwork")
BATCH: Final = 100

N = TypeVar("N", SubscriptionId, SubstrateId)


async def carry_out_due(tools: Tools) -> int:
    """One round; to how many subscriptions and substrates something was done. One's trouble does not end it."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        due = await subscriptions.list_due(tx, now, BATCH)
        over = await operations.list_held_over(tx, now, BATCH)
        unsettled = await restrictions.list_unsettled(tx, BATCH)
    done = 0
    for subscription in due:
        done += await _one(tools, subscription, move_subscription)
    for substrate in over:
        done += await _one(tools, substrate, release_deletion)
    for substrate in unsettled:
        done += await _one(tools, substrate, settle_substrate)
    return done


async def move_subscription(tools: Tools, identifier: SubscriptionId) -> bool:
    """Do all that is due to one subscription; `False` when somebody else has."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        substrate = await _claim_living(tx, identifier)
        subscription = await subscriptions.claim(tx, identifier)
        acted, operation = False, None
        while operation is None:
            coming = await list_coming(tx, subscription)
            if not coming or coming[0].at > now or await _is_put_off(tx, subscription, substrate):
                break
            operation = await _do(tools, tx, subscription, substrate, coming[0].what, now)
            subscription = await subscriptions.get(tx, identifier)
            acted = True
    if acted and substrate is not None:
        tools.doorbell.push_policy(substrate)
    if operation is not None:
        tools.doorbell.advance(operation.id)
    return acted


async def release_deletion(tools: Tools, substrate: SubstrateId) -> bool:
    """The time to undo a deletion is over; `False` when it was undone or released before."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        row = await substrates.claim(tx, substrate)
        held = await operations.find_held(tx, substrate)
        if held is None or held.held_until is None or held.held_until > now:
            return False
        operation = await destruction.begin(tools, tx, row, now)
        await audit.insert(
            tx, row.account, CLOCKWORK, "substrate.destruction_began", now, substrate=substrate, operation=operation.id
        )
    tools.doorbell.push_policy(substrate)
    tools.doorbell.advance(operation.id)
    return True


async def settle_substrate(tools: Tools, substrate: SubstrateId) -> bool:
    """A worker has noted a reason to be read_only, or lifted one; what follows is signed here."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        row = await substrates.claim(tx, substrate)
        if row.status not in {Status.RUNNING, Status.READ_ONLY}:
            return False
        await settle(tools, tx, substrate, now)
    tools.doorbell.push_policy(substrate)
    return True


async def _do(
    tools: Tools, tx: Tx, subscription: Subscription, substrate: SubstrateId | None, what: Due, now: datetime
) -> Operation | None:
    """One thing that is due; the destruction, if that is what it was."""
    operation = None
    match what:
        case Due.TRIAL_OVER:
            await move(tx, subscription, Event.TRIAL_OVER, now)
        case Due.RENEWED:
            await _renew(tools, tx, subscription, now)
        case Due.READ_ONLY:
            if substrate is not None:
                await restrict(tools, tx, substrate, SPEAKS_FOR[subscription.state], now)
            await plan_next(tx, subscription.id)
        case Due.CANCELED:
            await move(tx, subscription, Event.GRACE_OVER, now)
            if substrate is not None:
                # First the one, then the other: it is never writable in between.
                await restrict(tools, tx, substrate, Reason.CANCELED, now)
                await lift(tools, tx, substrate, Reason.PAYMENT, now)
            await plan_next(tx, subscription.id)
        case Due.DESTROYED if substrate is not None:
            operation = await destruction.begin(tools, tx, await substrates.get(tx, substrate), now)
        case Due.DESTROYED:
            await move(tx, subscription, Event.PERIOD_OVER, now)
    await audit.insert(
        tx,
        subscription.account,
        CLOCKWORK,
        f"subscription.{what.value}",
        now,
        substrate=substrate,
        subscription=subscription.id,
    )
    return operation


async def _renew(tools: Tools, tx: Tx, subscription: Subscription, now: datetime) -> None:
    """Another month, if it is paid for; months that have passed meanwhile are not charged one by one."""
    event = await tools.payments.renew(subscription.account, subscription.id, subscription.terms)
    if event is Event.PAID:
        ends = a_month_after(subscription.period_ends_at)
        while ends <= now:
            ends = a_month_after(ends)
        await subscriptions.update_period(tx, subscription.id, ends)
    await move(tx, subscription, event, now)


async def _is_put_off(tx: Tx, subscription: Subscription, substrate: SubstrateId | None) -> bool:
    """Nobody is charged for a month in which the substrate is being deleted; undone, it is due again."""
    held = await operations.find_held(tx, substrate) if substrate is not None else None
    if held is None or subscription.state is not State.ACTIVE:
        return False
    await subscriptions.update_due(tx, subscription.id, held.held_until)
    return True


async def _claim_living(tx: Tx, subscription: SubscriptionId) -> SubstrateId | None:
    """The substrate first, then the subscription: the order in which everybody locks them."""
    found = await substrates.find_living(tx, subscription)
    if found is not None:
        await substrates.claim(tx, found)
    return found


async def _one(tools: Tools, name: N, act: Callable[[Tools, N], Awaitable[bool]]) -> bool:
    try:
        return await act(tools, name)
    except Exception:
        log.exception("what was due could not be done", about=str(name))
        return False
