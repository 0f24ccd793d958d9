"""Restrictions and what follows from them: the substrate's status, its signed policy, and what the clock does next.

Inside a transaction whose caller holds the substrate's row. Whoever calls these rings `push_policy` after the commit.
"""

from datetime import datetime

from control_plane.actions.propagation import publish_change
from control_plane.actions.tools import Tools
from shared.kernel.ids import SubscriptionId, SubstrateId
from shared.lifecycle.subscription import Event, State, after
from shared.lifecycle.subscription_times import Coming, to_come
from shared.lifecycle.substrate import Reason
from shared.lifecycle.transitions import TransitionRefused
from shared.registry import restrictions, subscriptions, substrates
from shared.registry.database import Tx
from shared.registry.subscriptions import Subscription

SPEAKS_FOR = {State.PAST_DUE: Reason.PAYMENT, State.CANCELED: Reason.CANCELED}
"""The restriction that a subscription's state leads to, sooner or later."""


async def restrict(tools: Tools, tx: Tx, substrate: SubstrateId, reason: Reason, now: datetime) -> bool:
    """One more reason to be read_only; `False` when it held already."""
    added = await restrictions.insert(tx, substrate, reason, now)
    if added:
        await settle(tools, tx, substrate, now)
    return added


async def lift(tools: Tools, tx: Tx, substrate: SubstrateId, reason: Reason, now: datetime) -> bool:
    """One reason less; the others keep holding. `False` when it did not hold."""
    lifted = await restrictions.delete(tx, substrate, reason)
    if lifted:
        await settle(tools, tx, substrate, now)
    return lifted


async def settle(tools: Tools, tx: Tx, substrate: SubstrateId, now: datetime) -> None:
    """Status, reason and policy as the restrictions call for."""
    await restrictions.settle(tx, substrate, now)
    await publish_change(tools, tx, await substrates.get(tx, substrate), now)


async def move(tx: Tx, subscription: Subscription, event: Event, now: datetime) -> Subscription:
    """Follow the table, and plan what the clock does next.

    Raises:
        TransitionRefused: the table has no such row.
    """
    becomes = after(subscription.state, event)
    if not await subscriptions.update_state(tx, subscription.id, was=subscription.state, becomes=becomes, now=now):
        words = {"machine": "subscription", "state": subscription.state.value, "event": event.value}
        raise TransitionRefused(shown=words)
    await plan_next(tx, subscription.id)
    return await subscriptions.get(tx, subscription.id)


async def plan_next(tx: Tx, subscription: SubscriptionId) -> None:
    """Write down when the clock does the next thing."""
    found = await subscriptions.get(tx, subscription)
    coming = to_come(found.standing(await restricted_since(tx, found)))
    await subscriptions.update_due(tx, subscription, coming[0].at if coming else None)


async def list_coming(tx: Tx, subscription: Subscription) -> tuple[Coming, ...]:
    """Everything that happens to it if nobody does anything, the next first; nothing once it is being destroyed."""
    if subscription.due_at is None:
        return ()
    return to_come(subscription.standing(await restricted_since(tx, subscription)))


async def restricted_since(tx: Tx, subscription: Subscription) -> datetime | None:
    """Since when its substrate is read_only for what its state says."""
    reason = SPEAKS_FOR.get(subscription.state)
    living = await substrates.find_living(tx, subscription.id)
    if reason is None or living is None:
        return None
    return await restrictions.find_since(tx, living, reason)
