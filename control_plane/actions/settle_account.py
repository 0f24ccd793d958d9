"""What an operator does where no payment service says it: a subscription is unpaid, or paid."""

from control_plane.actions.cancel_subscription import SubscriptionNow, with_coming
from control_plane.actions.settling import lift, move
from control_plane.actions.tools import Tools
from shared.kernel.errors import NotFound
from shared.kernel.ids import SubscriptionId
from shared.lifecycle.subscription import Event
from shared.lifecycle.subscription_times import a_month_after
from shared.lifecycle.substrate import Reason
from shared.registry import audit, subscriptions, substrates
from shared.registry.audit import Actor


async def mark_past_due(tools: Tools, actor: Actor, identifier: SubscriptionId) -> SubscriptionNow:
    """It is unpaid from now on: seven days with a warning, then read_only.

    Raises:
        NotFound: there is none.
        TransitionRefused: it is not active.
    """
    return await _mark(tools, actor, identifier, Event.PAYMENT_FAILED)


async def mark_paid(tools: Tools, actor: Actor, identifier: SubscriptionId) -> SubscriptionNow:
    """It is paid: what was past due runs again, with a month that begins now; what was not gets another month.

    Raises:
        NotFound: there is none.
        TransitionRefused: it was canceled or has ended.
    """
    return await _mark(tools, actor, identifier, Event.PAID)


async def _mark(tools: Tools, actor: Actor, identifier: SubscriptionId, event: Event) -> SubscriptionNow:
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        living = await substrates.find_living(tx, identifier)
        if living is not None:
            await substrates.claim(tx, living)
        if await subscriptions.find(tx, identifier) is None:
            raise NotFound(subscription=identifier)
        found = await subscriptions.claim(tx, identifier)
        if event is Event.PAID:
            await subscriptions.update_period(tx, identifier, a_month_after(max(now, found.period_ends_at)))
        found = await move(tx, found, event, now)
        if living is not None and event is Event.PAID:
            await lift(tools, tx, living, Reason.PAYMENT, now)
        await audit.insert(
            tx, found.account, actor, f"subscription.{event.value}", now, substrate=living, subscription=identifier
        )
        result = await with_coming(tx, found)
    if living is not None:
        tools.doorbell.push_policy(living)
    return result
