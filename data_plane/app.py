"""The two applications: the edge, for customers, and the control socket, for the provisioner."""

import asyncio
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from data_plane.control import backup, drain, policy, status
from data_plane.draining import Draining
from data_plane.edge.gate import MAX_BODY_BYTES, Gate
from data_plane.edge.needs import caller_of, check_needs
from data_plane.lean import only_msgspec
from data_plane.mcp.endpoint import McpEndpoint
from data_plane.policy.caller import Caller
from data_plane.rest import atoms, instance, search
from data_plane.wiring import Parts
from shared.contracts.signed_policy import MAX_BYTES
from shared.kernel.errors import InvalidRequest
from shared.kernel.product import DISPLAY_NAME, VERSION
from shared.web.problems import HANDLERS, from_app_error

PROVIDED = ("memory", "caller", "openapi_document")
ROUTERS = (atoms.router, search.router, instance.router)


class LeanLitestar(Litestar):
    """Litestar with msgspec as its only way to write types."""

    _get_default_plugins = staticmethod(only_msgspec)


def make_edge(parts: Parts, mcp: McpEndpoint) -> Gate:
    """What answers on `live.sock`."""

    def provide_caller(request: Request[Any, Any, Any]) -> Caller:
        return caller_of(request)

    async def provide_openapi_document() -> bytes:
        return await asyncio.to_thread(openapi_document)

    faces = LeanLitestar(
        route_handlers=[*ROUTERS, *instance.open_routes, mcp.route()],
        guards=[check_needs],
        dependencies={
            "memory": Provide(lambda: parts.memory, sync_to_thread=False),
            "caller": Provide(provide_caller, sync_to_thread=False),
            "openapi_document": Provide(provide_openapi_document),
        },
        exception_handlers={**HANDLERS, RecursionError: _too_deep},
        openapi_config=None,
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )
    return Gate(faces, parts.desk, parts.uses, parts.activity, parts.clock)


def make_control(parts: Parts, draining: Draining) -> Litestar:
    """What answers on `control.sock`. Whoever can open that socket is the host."""
    return LeanLitestar(
        route_handlers=[
            policy.put_policy,
            status.show_status,
            drain.drain,
            backup.copy_memory,
            backup.show_examination,
        ],
        dependencies={
            "memory": Provide(lambda: parts.memory, sync_to_thread=False),
            "desk": Provide(lambda: parts.desk, sync_to_thread=False),
            "uses": Provide(lambda: parts.uses, sync_to_thread=False),
            "activity": Provide(lambda: parts.activity, sync_to_thread=False),
            "draining": Provide(lambda: draining, sync_to_thread=False),
            "settings": Provide(lambda: parts.settings, sync_to_thread=False),
            "policies": Provide(lambda: parts.policies, sync_to_thread=False),
            "copier": Provide(lambda: parts.copier, sync_to_thread=False),
        },
        exception_handlers=HANDLERS,
        openapi_config=None,
        request_max_body_size=MAX_BYTES,
        logging_config=None,
    )


@cache
def openapi_document() -> bytes:
    """The REST face described. Built when first asked for, by an application made for nothing else."""
    described = LeanLitestar(
        route_handlers=list(ROUTERS),
        # The description needs to know only that these are none of the caller's parameters.
        dependencies={name: Provide(_absent(), sync_to_thread=False) for name in PROVIDED},
        openapi_config=OpenAPIConfig(
            title=f"{DISPLAY_NAME} memory",
            version=VERSION,
            use_handler_docstrings=True,
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"key": []}],
        ),
        logging_config=None,
    )
    return msgspec.json.encode(described.openapi_schema.to_schema())


def _absent() -> Callable[[], None]:
    """A new function each time: Litestar refuses one provider under two names."""
    return lambda: None


def _too_deep(request: Request[Any, Any, Any], _error: RecursionError) -> Response[bytes]:
    """JSON nested deeper than any request needs."""
    return from_app_error(request, InvalidRequest(shown={"problem": "The request is nested too deeply."}))
