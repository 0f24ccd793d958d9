"""Operations as every program knows them: kinds, steps with words for people, deadlines, and how a worker is nudged.

The provisioner's programs carry the steps out under the same names; a test holds the two together.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

NUDGE_ADVANCE: Final = "advance"
"""Celery task: carry on with one operation. Argument: its id."""

NUDGE_PUSH_POLICY: Final = "push_policy"
"""Celery task: carry the newest policy of one substrate to its server. Argument: the substrate's id."""

NUDGE_OBSERVE: Final = "observe"
"""Celery task: ask one substrate's server for its usage. Argument: the substrate's id."""

CHANNEL_OPERATION: Final = "operation_changed"
"""PostgreSQL notification with the operation's id."""

CHANNEL_POLICY: Final = "policy_acknowledged"
"""PostgreSQL notification with the substrate's id."""

CHANNEL_USAGE: Final = "usage_observed"
"""PostgreSQL notification with the substrate's id."""


class Kind(StrEnum):
    """What an operation does."""

    START_SUBSTRATE = "start_substrate"
    DESTROY_SUBSTRATE = "destroy_substrate"
    CHANGE_PLAN = "change_plan"
    BACK_UP = "back_up"
    RESTORE = "restore"
    REVOKE_KEY = "revoke_key"
    """Followed, not carried out: it ends when the tenant's server acknowledges the policy without the key."""


@dataclass(frozen=True, slots=True)
class Course:
    """The steps of one kind, in order, each with the words that people read, and when it must have ended."""

    steps: tuple[tuple[str, str], ...]
    deadline: timedelta
    cancellable: bool


COURSES: Final[dict[Kind, Course]] = {
    Kind.START_SUBSTRATE: Course(
        steps=(
            ("make_folders", "Making its folders"),
            ("carry_policy", "Handing over its keys and limits"),
            ("start_server", "Starting its server"),
            ("wait_until_ready", "Checking that it answers at its address"),
            ("apply_limits", "Setting its memory and CPU limits"),
        ),
        deadline=timedelta(minutes=2),
        cancellable=True,
    ),
    Kind.DESTROY_SUBSTRATE: Course(
        steps=(
            ("close_the_edge", "Closing its address"),
            ("stop_server", "Stopping its server"),
            ("remove_folders", "Erasing its data"),
            ("forget_rows", "Erasing its keys"),
        ),
        deadline=timedelta(minutes=10),
        cancellable=False,
    ),
    Kind.CHANGE_PLAN: Course(
        steps=(
            ("make_room", "Making room for its new size"),
            ("carry_policy", "Handing over its new limits"),
            ("apply_limits", "Setting its memory and CPU limits"),
        ),
        deadline=timedelta(minutes=2),
        cancellable=False,
    ),
    Kind.BACK_UP: Course(
        steps=(
            ("wake_server", "Waking its server"),
            ("copy_memory", "Copying and encrypting its memory"),
            ("thin_out", "Removing backups that are not kept any longer"),
        ),
        deadline=timedelta(minutes=40),
        cancellable=True,
    ),
    Kind.RESTORE: Course(
        steps=(
            ("fetch_backup", "Fetching and checking the backup"),
            ("put_in_place", "Putting the memory in place"),
            ("wait_until_ready", "Checking that it answers and that the memory is whole"),
            ("drop_previous", "Removing the memory that was there before"),
        ),
        deadline=timedelta(minutes=60),
        cancellable=False,
    ),
    Kind.REVOKE_KEY: Course(
        steps=(("carry_policy", "Telling the server"),),
        deadline=timedelta(hours=1),
        cancellable=False,
    ),
}
