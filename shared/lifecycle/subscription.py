"""The life of a subscription, as billing sees it. When the clock moves it is in `subscription_times`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.lifecycle.transitions import follow


class State(StrEnum):
    """Where a subscription stands."""

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    ENDED = "ended"


class Event(StrEnum):
    """What happens to a subscription."""

    PAID = "paid"
    PAYMENT_FAILED = "payment_failed"
    TRIAL_OVER = "trial_over"
    GRACE_OVER = "grace_over"
    CANCELED = "canceled"
    RESUMED = "resumed"
    """Its cancellation is undone before the paid period's end."""
    TRIAL_RESUMED = "trial_resumed"
    """Likewise, of a trial."""
    PERIOD_OVER = "period_over"
    """What it was for is destroyed."""


TABLE: Final[Mapping[State, Mapping[Event, State]]] = {
    State.TRIALING: {
        Event.PAID: State.ACTIVE,
        Event.TRIAL_OVER: State.PAST_DUE,
        Event.CANCELED: State.CANCELED,
    },
    State.ACTIVE: {
        Event.PAID: State.ACTIVE,
        Event.PAYMENT_FAILED: State.PAST_DUE,
        Event.CANCELED: State.CANCELED,
    },
    State.PAST_DUE: {
        Event.PAID: State.ACTIVE,
        Event.GRACE_OVER: State.CANCELED,
        Event.CANCELED: State.CANCELED,
    },
    State.CANCELED: {
        Event.RESUMED: State.ACTIVE,
        Event.TRIAL_RESUMED: State.TRIALING,
        Event.PERIOD_OVER: State.ENDED,
    },
    State.ENDED: {},
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to, or `TransitionRefused`."""
    return follow("subscription", TABLE, state, event)
