"""What the store cannot do."""

from shared.kernel.errors import AppError


class StorageFull(AppError):
    """The tenant's share of the disk is used up."""

    code = "storage_full"
    status = 507
    public = "The storage is full; nothing was saved."
    next_action = "Reading goes on working; a larger plan has more storage."


class DatabaseTooNew(AppError):
    """The database was written by a later version of this server."""

    code = "database_too_new"
    status = 500
    public = "The database has schema {found}; this server understands {known}."
    next_action = "Start a newer image."


class Busy(AppError):
    """More work is waiting than is sensible."""

    code = "busy"
    status = 503
    public = "The server is busy; nothing was changed."
    next_action = "Try again in a moment, with fewer requests at a time."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "1"}
