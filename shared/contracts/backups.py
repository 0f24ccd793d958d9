"""Words about backups that more than one program uses."""

from enum import StrEnum

from shared.kernel.ids import BackupId


class StoreKind(StrEnum):
    """Where backups are kept."""

    FOLDER = "folder"
    """A folder of the host."""
    S3 = "s3"
    """An S3-compatible store."""


class Reason(StrEnum):
    """Why a backup was made."""

    SCHEDULE = "schedule"
    ASKED = "asked"
    """Its owner, or staff, wanted one."""
    UPGRADE = "upgrade"
    """Its server was about to be replaced by a newer one."""


class State(StrEnum):
    """Where a backup stands."""

    READY = "ready"
    LEAVING = "leaving"
    """Nobody may use it any more, and its object is being removed."""
    GONE = "gone"


def backup_of(operation: str) -> BackupId:
    """The backup that an operation makes: its name is derived, so a step that runs again makes the same one again."""
    return BackupId("bak_" + operation.partition("_")[2])


def object_of(substrate: str, backup: str, attempt: int) -> str:
    """What a backup's object is called, in any store. A worker that lost its lease writes to a name of its own."""
    return f"{substrate}/{backup}_{attempt}.age"
