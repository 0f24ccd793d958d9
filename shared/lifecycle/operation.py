"""The life of an operation: work that outlasts a request."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.lifecycle.transitions import follow


class Status(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Event(StrEnum):
    """What happens to an operation."""

    TAKEN = "taken"
    """A worker holds its lease; again after a lease was lost."""
    DONE = "done"
    GAVE_UP = "gave_up"
    CANCELED = "canceled"
    RETRIED = "retried"
    """Its owner wants it begun anew."""


ACTIVE: Final = frozenset({Status.QUEUED, Status.RUNNING})
"""At most one operation of a substrate is in one of these."""

TABLE: Final[Mapping[Status, Mapping[Event, Status]]] = {
    Status.QUEUED: {
        Event.TAKEN: Status.RUNNING,
        Event.GAVE_UP: Status.FAILED,
        Event.CANCELED: Status.CANCELED,
    },
    Status.RUNNING: {
        Event.TAKEN: Status.RUNNING,
        Event.DONE: Status.SUCCEEDED,
        Event.GAVE_UP: Status.FAILED,
        Event.CANCELED: Status.CANCELED,
    },
    Status.FAILED: {Event.RETRIED: Status.QUEUED},
    Status.SUCCEEDED: {},
    Status.CANCELED: {Event.RETRIED: Status.QUEUED},
}


def after(status: Status, event: Event) -> Status:
    """The status that `event` leads to, or `TransitionRefused`."""
    return follow("operation", TABLE, status, event)
