"""Serving two applications on two unix sockets in one loop, until told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server

from shared.web.draining import Draining

BACKLOG: Final = 512
GRACE_SECONDS: Final = 10
"""How long running requests may go on after the server was told to stop."""

KEEP_ALIVE_SECONDS: Final = 150
"""Longer than the gateway keeps an idle connection (120 s), so that it never sends into one that is being closed."""

SETTLE_SECONDS: Final = 0.05
"""For whoever has found the socket's name before it went and has not been accepted yet."""

SILENT_SECONDS: Final = 1.0
"""How long a connection may say nothing before nobody waits for it."""

STEP_SECONDS: Final = 0.01

MAX_HEAD_BYTES: Final = 64 * 1024

EVERYBODY: Final = 0o666
"""The edge's folder decides who reaches its socket."""

OWNER_ONLY: Final = 0o600


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1, but a request's line and headers have an end: the parser itself would go on for ever."""

    _head_bytes = 0
    _in_head = True

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The newest request, if there was one: uvicorn's own annotation leaves that out."""
        return self.cycle

    @property
    def was_asked(self) -> bool:
        """Whether a request has arrived on this connection, whole or in part."""
        return self._cycle is not None or self._head_bytes > 0

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way."""
        return self._head_bytes > 0 or (self._cycle is not None and not self._cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        """Count what arrives before the headers are complete."""
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its body may follow."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Another request may follow."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()


class _Server(Server):
    """uvicorn without its own signal handlers and its ten ticks a second: an idle tenant must cost no CPU."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.told_to_stop = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve_until_stopped`: there are two servers, and one who decides."""
        yield

    async def main_loop(self) -> None:
        """Wait instead of ticking; the gateway adds the date."""
        await self.told_to_stop.wait()


class Served:
    """One application on one socket file."""

    def __init__(self, application: Any, path: Path, mode: int) -> None:
        """Make the socket. A file that a killed server left behind is replaced."""
        self._path = path
        self._socket = _bound(path, mode)
        self._inode: int | None = path.stat().st_ino
        self._server = _Server(
            Config(
                Draining(application),
                http=BoundedProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    async def serve(self) -> None:
        """Answer until told to stop, then let running requests end and remove the socket's file."""
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()
            self.take_name_away()

    def take_name_away(self) -> None:
        """Whoever dials from now on finds nobody. Who has dialled already is still served."""
        with contextlib.suppress(FileNotFoundError):
            # A successor may have put its own socket there already.
            if self._inode is not None and self._path.stat().st_ino == self._inode:
                self._path.unlink()
        self._inode = None  # the file system gives the number to another file

    async def finish(self, seconds: float) -> bool:
        """Serve everybody who came before the name went; whether all were served in time.

        Closing the listening socket at once would hang up on whoever waits to be accepted, and on whoever was accepted
        and is about to send: the gateway could not tell that nothing was done, and must not ask again.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(SETTLE_SECONDS)
        while (waited := loop.time() - began) < seconds:
            held = cast("set[BoundedProtocol]", self._server.server_state.connections)
            if not any(one.is_answering or (waited < SILENT_SECONDS and not one.was_asked) for one in held):
                return True
            await asyncio.sleep(STEP_SECONDS)
        return False

    def stop(self) -> None:
        """Accept nothing more."""
        self._server.told_to_stop.set()


async def serve_until_stopped(served: list[Served], stopping: asyncio.Event) -> None:
    """Serve all of them; when one ends, or a signal comes, or `stopping` is set, all end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: whoever runs us sets `stopping`
            loop.add_signal_handler(number, stopping.set)
    running = [asyncio.create_task(one.serve()) for one in served]
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([*running, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    for one in served:
        one.take_name_away()
    await asyncio.gather(*(one.finish(GRACE_SECONDS) for one in served))
    for one in served:
        one.stop()
    await asyncio.gather(*running)


def _bound(path: Path, mode: int) -> socket.socket:
    """A listening socket that appears under its name only when it is ready, in place of whatever was there."""
    making = path.with_name(f".{path.name}")
    making.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(making))
    making.chmod(mode)
    listening.listen(BACKLOG)
    listening.setblocking(False)
    making.replace(path)
    return listening
