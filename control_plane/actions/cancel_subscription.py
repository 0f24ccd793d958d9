"""Cancel a subscription, and undo that before the paid period's end."""

from dataclasses import dataclass

from control_plane.actions import owned
from control_plane.actions.settling import list_coming, move
from control_plane.actions.tools import Tools, acting
from shared.kernel.errors import AppError
from shared.kernel.ids import SubscriptionId
from shared.lifecycle.subscription import Event, State
from shared.lifecycle.subscription_times import Coming, to_come
from shared.registry import audit
from shared.registry.account_tokens import Bearer
from shared.registry.database import Tx
from shared.registry.subscriptions import Subscription


class TooLateToResume(AppError):
    """The period that was paid is over, or it was never canceled."""

    code = "too_late_to_resume"
    status = 409
    public = "This subscription is {state} and cannot be resumed."
    next_action = "Only one that is canceled can be resumed, before its period ends; afterwards subscribe again."


@dataclass(frozen=True, slots=True)
class SubscriptionNow:
    """A subscription, and what happens to it if nobody does anything."""

    row: Subscription
    coming: tuple[Coming, ...]

    @classmethod
    def untouched(cls, row: Subscription) -> "SubscriptionNow":
        """One whose substrate nothing restricts."""
        return cls(row, to_come(row.standing(None)))


async def cancel_subscription(tools: Tools, caller: Bearer, identifier: SubscriptionId) -> SubscriptionNow:
    """It runs to the period's end, can be read for 30 days more, then it is destroyed. Asked again, nothing changes.

    Raises:
        TransitionRefused: it has ended.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        found, row = await owned.claim_subscription(tx, caller, identifier)
        if found.state is not State.CANCELED:
            found = await move(tx, found, Event.CANCELED, now)
            about = row.id if row else None
            await audit.insert(
                tx,
                caller.account,
                acting(caller),
                "subscription.canceled",
                now,
                substrate=about,
                subscription=identifier,
            )
        return await with_coming(tx, found)


async def resume_subscription(tools: Tools, caller: Bearer, identifier: SubscriptionId) -> SubscriptionNow:
    """As if it had never been canceled.

    Raises:
        TooLateToResume: see there.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        found, row = await owned.claim_subscription(tx, caller, identifier)
        deleting = row is None or row.status.value in {"deleting", "deleted"}
        if found.state is not State.CANCELED or found.period_ends_at <= now or deleting:
            raise TooLateToResume(shown={"state": found.state.value}, subscription=identifier)
        event = Event.TRIAL_RESUMED if found.canceled_from is State.TRIALING else Event.RESUMED
        found = await move(tx, found, event, now)
        about = row.id if row else None
        await audit.insert(
            tx, caller.account, acting(caller), "subscription.resumed", now, substrate=about, subscription=identifier
        )
        return await with_coming(tx, found)


async def with_coming(tx: Tx, subscription: Subscription) -> SubscriptionNow:
    """The subscription with what is to come."""
    return SubscriptionNow(subscription, await list_coming(tx, subscription))
