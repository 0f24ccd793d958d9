"""The control plane's web application: routes, guard, problems and headers in one place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg
from litestar import Litestar, Request, Response
from litestar.di import Provide

from control_plane.actions.clockwork import carry_out_due
from control_plane.actions.forget_answers import forget_answers
from control_plane.actions.lapse_api_keys import lapse_api_keys
from control_plane.actions.once import Replay
from control_plane.actions.tools import Tools
from control_plane.api import (
    account,
    backups,
    docs,
    health,
    keys,
    operations,
    plans,
    session,
    subscriptions,
    substrates,
    tickets,
)
from control_plane.api.bodies import BODY_BYTES_MOST, JsonRequest
from control_plane.api.document import complete
from control_plane.api.response_headers import ResponseHeaders
from shared.kernel.errors import TemporarilyUnavailable
from shared.kernel.logs import logger
from shared.web import problems

log = logger(__name__)

ROUTERS: Final = (
    account.router,
    plans.router,
    subscriptions.router,
    substrates.router,
    keys.router,
    operations.router,
    backups.router,
    health.router,
    docs.router,
)

UNREACHABLE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.InterfaceError,
    ConnectionError,
    FileNotFoundError,
    TimeoutError,
)
"""How the database says that it does not answer: over TCP, over a socket that is gone, and in the middle of it all."""

HOUSEKEEPING: Final = (lapse_api_keys, carry_out_due, forget_answers)
HOUSEKEEPING_EVERY: Final = timedelta(seconds=5)
"""How late the clock may be: a few looks at indexes that are nearly always empty."""


def create_app(wired: AbstractAsyncContextManager[Tools], *, strict_transport: bool = False) -> Litestar:
    """The application; `wired` is entered when it starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with wired as tools:
            app.state.tools = tools
            keeping = asyncio.create_task(_keep_house(tools))
            try:
                yield
            finally:
                keeping.cancel()
                with suppress(asyncio.CancelledError):
                    await keeping

    app = Litestar(
        route_handlers=list(ROUTERS),
        lifespan=[lifespan],
        guards=[session.require_token],
        dependencies={
            "tools": Provide(session.provide_tools),
            "caller": Provide(session.provide_caller),
            "network": Provide(session.provide_network),
            "ticket": Provide(tickets.provide_ticket),
        },
        exception_handlers={
            **problems.HANDLERS,
            **dict.fromkeys(UNREACHABLE, from_unreachable),
            Replay: tickets.from_replay,
        },
        before_send=[ResponseHeaders(strict_transport=strict_transport)],
        request_class=JsonRequest,
        request_max_body_size=BODY_BYTES_MOST,
        openapi_config=docs.config(),
        logging_config=None,
    )
    complete(app)
    return app


def from_unreachable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Handler: the database does not answer. Nothing was changed: what had not been committed is undone."""
    return problems.from_app_error(request, TemporarilyUnavailable(error=type(error).__name__))


async def _keep_house(tools: Tools) -> None:
    """What has to happen although nobody asks. A failure is logged, and the next round tries again."""
    while True:
        for keep in HOUSEKEEPING:
            try:
                await keep(tools)
            except Exception:
                log.exception("housekeeping failed", part=keep.__name__)
        await tools.clock.sleep(HOUSEKEEPING_EVERY)
