"""What the waker answers."""

from shared.kernel.errors import AppError


class UnknownInstance(AppError):
    """No instance has this address, or it has been deleted: the two are the same to a caller."""

    code = "unknown_instance"
    status = 404
    public = "There is no memory server at this address."
    next_action = "Check the address; `loam substrates show` has the instance URL."


class InstanceDeleting(AppError):
    """Its mode allows nothing: a server that was started could only say the same."""

    code = "instance_deleting"
    status = 403
    public = "This instance is being deleted and answers no more."
    next_action = "The dashboard says until when the deletion can be undone."


class InstanceUnavailable(AppError):
    """The key is good, and the server does not run right now."""

    code = "instance_unavailable"
    status = 503
    public = "The memory server is not running at this moment. Nothing was lost."
    next_action = "Try again in a few seconds."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "2"}


class TooManyWakes(InstanceUnavailable):
    """More sleepers are asked for at once than this machine can start in the time that a request is held."""

    code = "too_many_wakes"
    public = "The memory server sleeps, and too many others are being woken right now. Nothing was lost."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "5"}
