"""The life of a substrate. Every allowed change of status is in the table.

The table says what may happen. Who may ask for it is decided in the actions; how it is carried out is decided in
`provisioner.programs`. Asleep is not a status: a sleeping substrate is `running` and wakes on request.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from shared.contracts.policy import Mode
from shared.lifecycle.transitions import follow


class Status(StrEnum):
    """What customers see."""

    PROVISIONING = "provisioning"
    RUNNING = "running"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"


class Event(StrEnum):
    """What happens to a substrate."""

    BECAME_READY = "became_ready"
    GAVE_UP = "gave_up"
    RETRIED = "retried"
    RESTRICTED = "restricted"
    RESTRICTION_LIFTED = "restriction_lifted"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    DELETION_ASKED = "deletion_asked"
    """For good: while a deletion can be undone the substrate is `read_only`, with the reason `deletion`."""
    TORN_DOWN = "torn_down"


class Reason(StrEnum):
    """Why a substrate is `read_only`, the strictest first: several may hold at once, and the strictest is shown."""

    ROLLED_BACK = "rolled_back"
    FORKED = "forked"
    DELETION = "deletion"
    """Its owner has deleted it and may still undo that."""
    SUPPORT = "support"
    CANCELED = "canceled"
    PAYMENT = "payment"
    STORAGE = "storage"
    MIGRATION = "migration"


STRICTNESS: Final = tuple(Reason)


TABLE: Final[Mapping[Status, Mapping[Event, Status]]] = {
    Status.PROVISIONING: {
        Event.BECAME_READY: Status.RUNNING,
        Event.GAVE_UP: Status.FAILED,
        Event.DELETION_ASKED: Status.DELETING,
    },
    Status.RUNNING: {
        Event.RESTRICTED: Status.READ_ONLY,
        Event.SUSPENDED: Status.SUSPENDED,
        Event.DELETION_ASKED: Status.DELETING,
    },
    Status.READ_ONLY: {
        Event.RESTRICTION_LIFTED: Status.RUNNING,
        Event.SUSPENDED: Status.SUSPENDED,
        Event.DELETION_ASKED: Status.DELETING,
    },
    Status.SUSPENDED: {Event.RESUMED: Status.RUNNING, Event.DELETION_ASKED: Status.DELETING},
    Status.FAILED: {Event.RETRIED: Status.PROVISIONING, Event.DELETION_ASKED: Status.DELETING},
    Status.DELETING: {Event.TORN_DOWN: Status.DELETED},
    Status.DELETED: {},
}

MODES: Final[Mapping[Status, Mode]] = {
    Status.PROVISIONING: Mode.RUNNING,
    Status.RUNNING: Mode.RUNNING,
    Status.READ_ONLY: Mode.READ_ONLY,
    Status.SUSPENDED: Mode.SUSPENDED,
    Status.FAILED: Mode.RUNNING,
    Status.DELETING: Mode.DELETING,
    Status.DELETED: Mode.DELETING,
}
"""What the tenant's server enforces in each status. A failed provision may still be retried, so it keeps its mode."""


def settling(status: Status, *, restricted: bool) -> Event | None:
    """What must happen to a substrate so that its status agrees with whether anything restricts it."""
    if status is Status.RUNNING and restricted:
        return Event.RESTRICTED
    if status is Status.READ_ONLY and not restricted:
        return Event.RESTRICTION_LIFTED
    return None


def mode_of(status: Status, *, restricted: bool) -> Mode:
    """What the tenant's server enforces. One that is only being started obeys what restricts it from the beginning."""
    mode = MODES[status]
    return Mode.READ_ONLY if mode is Mode.RUNNING and restricted else mode


def after(status: Status, event: Event) -> Status:
    """The status that `event` leads to, or `TransitionRefused`."""
    return follow("substrate", TABLE, status, event)
