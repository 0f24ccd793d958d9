"""What can be wrong with a backup."""


class BackupRefused(Exception):
    """This is not the backup that was asked for, or no longer. The text says what is wrong, and holds no secret."""


class CopyRefused(Exception):
    """The tenant's server sent something that is no copy of a memory, or too much of it. The text is ours."""


class StoreAway(Exception):
    """The store does not answer, or refuses for a reason that may pass. The text is for the log."""
