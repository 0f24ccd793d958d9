"""`/mcp` in the application: the SDK behind it is imported at the first request, since many tenants never use it."""

import asyncio
import contextlib
from typing import Any, Final

from litestar import asgi
from litestar.handlers import ASGIRouteHandler

from data_plane.actions.memory import Memory
from data_plane.edge.answers import refuse
from data_plane.edge.needs import NEEDS, Needs
from data_plane.edge.uses import KeyUses
from data_plane.lean import without_init
from data_plane.mcp.errors import NotJson, PostOnly

ACCEPT: Final = (b"accept", b"application/json, text/event-stream")


class McpEndpoint:
    """The MCP face, started when it is first used."""

    def __init__(self, memory: Memory, uses: KeyUses) -> None:
        """Nothing is imported yet."""
        self._memory = memory
        self._uses = uses
        self._starting = asyncio.Lock()
        self._manager: Any = None
        self._running: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    def route(self) -> ASGIRouteHandler:
        """Where it stands in the application."""

        @asgi("/mcp", opt={NEEDS: Needs.KEY}, copy_scope=False)
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            await self.answer(scope, receive, send)

        return answer

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """One MCP message. Stateless: there is no stream to open and no session to end."""
        if scope["method"] != "POST":
            await refuse(send, PostOnly())
            return
        if not _is_json(scope["headers"]):
            await refuse(send, NotJson())
            return
        if self._manager is None:
            await self._start()
        # Some clients accept too little or nothing; both forms of answer are always meant.
        headers = [header for header in scope["headers"] if header[0] != b"accept"]
        await self._manager.handle_request({**scope, "headers": [*headers, ACCEPT]}, receive, send)

    async def close(self) -> None:
        """End what runs."""
        self._ending.set()
        if self._running is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _start(self) -> None:
        async with self._starting:
            if self._manager is not None:
                return
            manager = await asyncio.to_thread(self._make)
            started = asyncio.Event()
            self._running = asyncio.create_task(self._run(manager, started))
            await started.wait()
            self._manager = manager

    def _make(self) -> Any:
        without_init("mcp", "mcp.server")
        from data_plane.mcp.server import make_manager  # noqa: PLC0415 - this import is what is put off

        return make_manager(self._memory, self._uses)

    async def _run(self, manager: Any, started: asyncio.Event) -> None:
        """Hold the manager's task group open in one task, as it must be entered and left by the same one."""
        async with manager.run():
            started.set()
            await self._ending.wait()


def _is_json(headers: list[tuple[bytes, bytes]]) -> bool:
    kinds = [value.partition(b";")[0].strip().lower() for name, value in headers if name == b"content-type"]
    return kinds == [b"application/json"]
