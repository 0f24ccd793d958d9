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
    TORN_DOWN = "torn_down"


class Reason(StrEnum):
    """Why a substrate is `read_only`."""

    PAYMENT = "payment"
    CANCELED = "canceled"
    ROLLED_BACK = "rolled_back"
    FORKED = "forked"
    STORAGE = "storage"
    SUPPORT = "support"
    MIGRATION = "migration"


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


def after(status: Status, event: Event) -> Status:
    """The status that `event` leads to, or `TransitionRefused`."""
    return follow("substrate", TABLE, status, event)
