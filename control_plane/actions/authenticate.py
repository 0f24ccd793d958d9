"""Who a bearer token speaks for."""

from typing import Final

from control_plane.actions import tokens
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.keys import format as key_format
from shared.registry import account_tokens
from shared.registry.account_tokens import Bearer

LENGTH_MOST: Final = 200
"""Longer texts are not looked up."""


class NotLoggedIn(AppError):
    """The request carries no account token that is good now."""

    code = "not_logged_in"
    status = 401
    public = "This request has no account token, or one that is not good any more."
    next_action = "Log in with POST /v1/login and send the header “Authorization: Bearer <token>”."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750, section 3."""
        return {"WWW-Authenticate": 'Bearer realm="loam account"'}


class ApiKeyPresented(NotLoggedIn):
    """The request carries a key of an instance, which opens that instance only."""

    code = "api_key_presented"
    public = "This is the API key of an instance. Here, an account token is needed."
    next_action = "Log in with POST /v1/login; use the API key at the instance's own address."


async def authenticate(tools: Tools, token: str) -> Bearer:
    """The member that the token speaks for.

    Raises:
        NotLoggedIn: nobody; or an API key was sent instead.
    """
    if token.startswith(key_format.PREFIX):
        raise ApiKeyPresented
    if not token.startswith(tokens.PREFIX) or len(token) > LENGTH_MOST:
        raise NotLoggedIn
    async with tools.database.transaction() as tx:
        found = await account_tokens.find(tx, tokens.digest(token), tools.clock.now())
    if found is None:
        raise NotLoggedIn
    return found
