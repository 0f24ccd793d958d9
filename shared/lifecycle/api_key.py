"""The life of an API key. Nothing brings a revoked one back."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.lifecycle.transitions import follow


class State(StrEnum):
    """Where a key stands. Expiry is a moment, not a state: the tenant's server enforces it alone."""

    UNCLAIMED = "unclaimed"
    """Made for the customer and kept sealed until the claim."""
    LIVE = "live"
    UNCLAIMED_EXPIRED = "unclaimed_expired"
    """Nobody claimed it in time; its secret is destroyed. Rotating makes another."""
    REVOKED = "revoked"


class Event(StrEnum):
    """What happens to a key."""

    CLAIMED = "claimed"
    CLAIM_LAPSED = "claim_lapsed"
    ROTATED = "rotated"
    REVOKED = "revoked"


TABLE: Final[Mapping[State, Mapping[Event, State]]] = {
    State.UNCLAIMED: {
        Event.CLAIMED: State.LIVE,
        Event.CLAIM_LAPSED: State.UNCLAIMED_EXPIRED,
        Event.ROTATED: State.LIVE,
        Event.REVOKED: State.REVOKED,
    },
    State.LIVE: {Event.ROTATED: State.LIVE, Event.REVOKED: State.REVOKED},
    State.UNCLAIMED_EXPIRED: {Event.ROTATED: State.LIVE, Event.REVOKED: State.REVOKED},
    State.REVOKED: {},
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to, or `TransitionRefused`."""
    return follow("API key", TABLE, state, event)
