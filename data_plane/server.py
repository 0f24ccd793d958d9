"""The server's life: open the memory, load the policy, answer, close."""

import asyncio
import time

from data_plane.app import make_control, make_edge
from data_plane.draining import Draining
from data_plane.mcp.endpoint import McpEndpoint
from data_plane.policy.in_force import Monotonic
from data_plane.serving import EVERYBODY, OWNER_ONLY, Served, serve_until_stopped
from data_plane.settings import TenantSettings
from data_plane.wiring import Parts
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.logs import logger

log = logger(__name__)


async def run(
    settings: TenantSettings,
    *,
    clock: Clock | None = None,
    monotonic: Monotonic = time.monotonic,
    stopping: asyncio.Event | None = None,
) -> None:
    """Be a tenant's server until stopped. The edge's socket appears last: what it answers is already enforced."""
    parts = Parts.connect(settings, clock or SystemClock(), monotonic)
    await asyncio.to_thread(parts.open)
    mcp = McpEndpoint(parts.memory, parts.uses)
    try:
        draining = Draining(parts.activity)
        control_app, edge_app = make_control(parts, draining), make_edge(parts, mcp)
        await parts.policies.load()
        control = Served(control_app, settings.control_socket, OWNER_ONLY)
        edge = Served(edge_app, settings.live_socket, EVERYBODY)
        draining.attach(edge)
        log.info("serving", substrate=settings.substrate)
        await serve_until_stopped([control, edge], stopping or asyncio.Event())
    finally:
        await mcp.close()
        await asyncio.to_thread(parts.close)
    log.info("stopped")
