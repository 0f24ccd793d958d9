"""Errors that a caller is told about.

Each condition is a class: a `code` that never changes, a sentence for the caller, the next step, and facts that
go to the log only. Anything else that is raised is a bug and is shown as `internal_error`.
"""

from typing import Any, ClassVar


class AppError(Exception):
    """A condition with a code, a status, a sentence for the caller and facts for the log."""

    code: ClassVar[str]
    """Never changes, never reused: scripts depend on it."""
    status: ClassVar[int]
    """The HTTP status."""
    public: ClassVar[str]
    """One sentence that the caller may read. `{name}` is filled from `shown`."""
    next_action: ClassVar[str | None] = None
    """What the caller should do now, in one sentence."""

    def __init__(self, *, shown: dict[str, Any] | None = None, **facts: Any) -> None:
        """Raise with values the caller may see (`shown`) and facts for the log only."""
        super().__init__(self.code)
        self.shown: dict[str, Any] = shown or {}
        self.facts: dict[str, Any] = facts

    @property
    def detail(self) -> str:
        """The caller's sentence with its values filled in."""
        return self.public.format(**self.shown)

    @property
    def next_step(self) -> str | None:
        """The next action with its values filled in."""
        return self.next_action.format(**self.shown) if self.next_action else None

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that belong to the condition."""
        return {}


class NotFound(AppError):
    """What was asked for does not exist, or the caller may not learn that it exists."""

    code = "not_found"
    status = 404
    public = "There is nothing here."
    next_action = "Check the address, or list what you own to find its id."


class InvalidRequest(AppError):
    """The request does not have the form that the operation takes."""

    code = "invalid_request"
    status = 400
    public = "{problem}"
    next_action = "Correct the request and send it again; /v1/openapi.json shows its form."


class TemporarilyUnavailable(AppError):
    """A part that is needed does not answer right now; nothing was changed."""

    code = "temporarily_unavailable"
    status = 503
    public = "A part of the service that this needs is not answering. Nothing was changed."
    next_action = "Try again in a few seconds."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "2"}
