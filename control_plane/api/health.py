"""Whether the program lives, and whether it can do its work."""

import asyncio
from typing import Final

import asyncpg
import msgspec
from litestar import Router, get
from litestar.di import NamedDependency

from control_plane.actions.tools import Tools
from shared.kernel.errors import TemporarilyUnavailable

PATIENCE_SECONDS: Final = 2.0


class HealthView(msgspec.Struct, frozen=True):
    """A sign of life."""

    status: str


@get("/healthz", operation_id="check_life", public=True, tags=["Health"], summary="Is it alive?")
async def check_life() -> HealthView:
    """The program runs. Says nothing about what it needs."""
    return HealthView("ok")


@get("/readyz", operation_id="check_readiness", public=True, tags=["Health"], summary="Is it ready?")
async def check_readiness(tools: NamedDependency[Tools]) -> HealthView:
    """The database answers. The broker is not asked: without it work is found by the sweep, a second later."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), tools.database.transaction() as tx:
            await tx.value("SELECT 1")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise TemporarilyUnavailable(error=type(error).__name__) from None
    return HealthView("ready")


router = Router("/", route_handlers=[check_life, check_readiness])
