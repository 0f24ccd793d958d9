"""What the waker answers."""

from shared.kernel.errors import AppError


class UnknownInstance(AppError):
    """No instance has this address, or it has been deleted: the two are the same to a caller."""

    code = "unknown_instance"
    status = 404
    public = "There is no memory server at this address."
    next_action = "Check the address; `loam substrates show` has the instance URL."


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
