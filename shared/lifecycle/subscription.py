"""The life of a subscription, as billing sees it."""

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
    PERIOD_OVER = "period_over"


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
    State.CANCELED: {Event.PERIOD_OVER: State.ENDED},
    State.ENDED: {},
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to, or `TransitionRefused`."""
    return follow("subscription", TABLE, state, event)
