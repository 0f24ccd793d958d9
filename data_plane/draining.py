"""Closing the edge before the server is stopped, so that no request is lost.

Looking whether anybody uses it and taking the edge's name away is one move on the event loop: a request comes before
it, and is served, or after it, and finds nobody to dial. Then the gateway asks the waker, which holds it.
"""

from typing import Protocol

from data_plane.edge.activity import Activity
from shared.contracts.tenant_server import DRAIN_SECONDS, Drained, DrainOrder
from shared.kernel.logs import logger

log = logger(__name__)


class Edge(Protocol):
    """What serves customers."""

    def take_name_away(self) -> None:
        """Nobody new finds it."""
        ...

    async def finish(self, seconds: float) -> bool:
        """Serve whoever is there already; whether all were served in time."""
        ...


class Draining:
    """Whether the server still lets anybody in."""

    def __init__(self, activity: Activity) -> None:
        """It does."""
        self._activity = activity
        self._edge: Edge | None = None
        self.has_begun = False

    def attach(self, edge: Edge) -> None:
        """This is what serves."""
        self._edge = edge

    async def drain(self, order: DrainOrder) -> Drained:
        """Let nobody in any more and finish, if nobody has used the memory for as long as asked."""
        idle_ms = self._activity.idle_ms()
        if self._edge is None or (idle_ms < order.idle_ms and not self.has_begun):
            return Drained(drained=False, idle_ms=idle_ms)
        self.has_begun = True
        self._edge.take_name_away()
        finished = await self._edge.finish(DRAIN_SECONDS)
        log.info("drained", finished=finished)
        return Drained(drained=finished, idle_ms=idle_ms)
