"""What a route needs before it runs: declared at the route, checked here, refused when not declared."""

from enum import StrEnum
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from data_plane.policy.caller import Caller
from data_plane.policy.errors import ProbeOpensWhoamiOnly
from shared.contracts.modes import Action
from shared.kernel.errors import NotFound

NEEDS: Final = "needs"
"""The route's option: an `Action` or one of `Needs`."""

CALLER: Final = "caller"
"""Where the gate puts the caller, in the request's state."""


class Needs(StrEnum):
    """What is not an action on the memory."""

    NOTHING = "nothing"
    """Open without a key; the gate has to know the path as well."""
    KEY = "key"
    KEY_OR_PROBE = "key or probe"


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Whom the gate admitted."""
    caller: Caller = connection.scope["state"][CALLER]
    return caller


def check_needs(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The application's guard: a route that declares nothing is not there.

    Raises:
        ScopeMissing: the key may not do this.
        ModeRefuses: the substrate's mode does not allow it.
        ProbeOpensWhoamiOnly: the probe is no key.
    """
    match handler.opt.get(NEEDS):
        case Needs.NOTHING | Needs.KEY_OR_PROBE:
            return
        case Needs.KEY:
            if caller_of(connection).is_probe:
                raise ProbeOpensWhoamiOnly
        case Action() as action:
            caller_of(connection).require(action)
        case _ if connection.scope.get("method") == "OPTIONS":
            return
        case _:
            raise NotFound
