"""Who is asking. Every route needs an account token unless it says `public=True`: denied by default."""

from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from control_plane.actions.authenticate import authenticate
from control_plane.actions.tools import Tools
from shared.keys.bearer import token_of
from shared.registry.account_tokens import Bearer

PUBLIC: Final = "public"
"""The route option that opens a route to everybody."""


async def require_token(connection: ASGIConnection[Any, Any, Any, State], handler: BaseRouteHandler) -> None:
    """Guard of the whole app; it runs before the request is read.

    Raises:
        NotLoggedIn: the route is not public, and the request has no good token.
    """
    if handler.opt.get(PUBLIC) is True:
        return
    tools: Tools = connection.app.state.tools
    connection.scope["user"] = await authenticate(tools, token_of(connection.headers.get("authorization")))


async def provide_caller(request: Request[Any, Any, State]) -> Bearer:
    """Whom the token speaks for. A public handler that asks for this is a bug, and fails."""
    caller = request.scope["user"]
    if not isinstance(caller, Bearer):
        raise TypeError("a public route has no caller")
    return caller


async def provide_tools(state: State) -> Tools:
    """What actions are handed."""
    tools: Tools = state.tools
    return tools


async def provide_network(request: Request[Any, Any, State]) -> str:
    """The caller's IP address.

    The gateway is the only one that reaches the socket, and writes the last entry of X-Forwarded-For itself.
    """
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if forwarded:
        return forwarded
    return request.client.host if request.client else ""
