"""What the MCP endpoint refuses before the protocol begins, and what a tool refuses."""

from shared.kernel.errors import AppError


class PostOnly(AppError):
    """The endpoint keeps no sessions and opens no streams."""

    code = "method_not_allowed"
    status = 405
    public = "The MCP endpoint takes POST only: it is stateless."
    next_action = "Send each message as a POST."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 15.5.6."""
        return {"Allow": "POST"}


class NotJson(AppError):
    """The body is said to be something else."""

    code = "unsupported_media_type"
    status = 415
    public = "An MCP message is JSON."
    next_action = "Send it with “Content-Type: application/json”."


class ToolUnknown(AppError):
    """No tool has the name."""

    code = "tool_unknown"
    status = 404
    public = "There is no tool named “{name}”."
    next_action = "The tools are: {tools}."


class ArgumentsRefused(AppError):
    """The arguments do not have the tool's form."""

    code = "arguments_refused"
    status = 400
    public = "The arguments do not fit {tool}: {problem}."
    next_action = "Call it again with the members of its input schema."
