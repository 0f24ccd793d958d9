"""The waker's HTTP face: what the gateway asks when dialling a tenant's socket has failed.

The gateway hands the request's headers over, never its body. Whatever is answered here that is not 2xx goes back to
the caller as it is.
"""

import asyncio
from typing import Any

from litestar import Litestar, Request, Response, route
from litestar.di import NamedDependency, Provide
from litestar.types import Method

from provisioner.waker.desk import Desk
from provisioner.waker.wakes import Wakes
from shared.keys.bearer import token_of
from shared.web import problems

METHODS: list[Method] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@route(["/", "/{path:path}"], http_method=METHODS, operation_id="wake")
async def wake(
    request: Request[Any, Any, Any], desk: NamedDependency[Desk], wakes: NamedDependency[Wakes]
) -> Response[None]:
    """Check address and key, hold until its server answers, and let the gateway go on. Files are read in a thread.

    (Litestar's own `sync_to_thread` wraps a handler once for each of its paths, and then answers with a coroutine.)
    """
    host = request.headers.get("x-forwarded-host") or request.headers.get("host") or ""
    slug = await asyncio.to_thread(desk.admit, host, token_of(request.headers.get("authorization")))
    await wakes.hold(slug)
    return Response(None, status_code=204)


def create(desk: Desk, wakes: Wakes) -> Litestar:
    """The application."""
    return Litestar(
        route_handlers=[wake],
        dependencies={
            "desk": Provide(lambda: desk, sync_to_thread=False),
            "wakes": Provide(lambda: wakes, sync_to_thread=False),
        },
        exception_handlers=problems.HANDLERS,
        openapi_config=None,
        logging_config=None,
    )
