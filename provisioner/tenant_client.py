"""Speaking to a tenant's server over its control socket; and looking whether its edge answers.

Both sockets' folders belong to the tenant. A socket replaced by a symlink would have us speak to whatever it points at,
with root's rights; so the socket is pinned first, without following anything, and dialled through the pinned handle.
"""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec

from provisioner.hostile_http import Answer, HostileAnswer, ask, begin, read
from provisioner.threads import in_thread
from shared.contracts.policy import Applied
from shared.contracts.state_folder import TenantFolders
from shared.contracts.tenant_server import (
    ANSWER_MAX_BYTES,
    DRAIN_SECONDS,
    STATUS_MAX_BYTES,
    Drained,
    DrainOrder,
    Examined,
    Status,
)
from shared.kernel.ids import SubstrateId

T = TypeVar("T")

LIMIT: Final = timedelta(seconds=2)
"""For a whole exchange; a healthy server needs milliseconds."""

EXAMINATION: Final = timedelta(seconds=50)
"""For looking at every page of a memory."""

PIECE_PATIENCE: Final = timedelta(minutes=2)
"""For the first piece of a copy: the server copies before it sends."""

OK: Final = 200

PINNED: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class TenantSilent(Exception):
    """The server did not answer, or not as agreed. The text is for the log and holds nothing of the server's."""


class TenantAbsent(TenantSilent):
    """Nobody listens on the control socket: no server runs."""


class TenantClient:
    """The provisioner's side of `shared.contracts.tenant_server`."""

    def __init__(self, limit: timedelta = LIMIT) -> None:
        """`limit` bounds a whole exchange, whatever the server does in it."""
        self._limit = limit.total_seconds()

    async def put_policy(self, folders: TenantFolders, jws: str) -> Applied:
        """Hand a policy over; what the server enforces from now on.

        Raises:
            TenantSilent: it did not take the policy. `TenantAbsent` when no server runs.
        """
        headers = {"Content-Type": "application/jose"}
        body = await self._ask(folders, "PUT", "/policy", most=ANSWER_MAX_BYTES, headers=headers, content=jws.encode())
        return self._read(body, Applied)

    async def status(self, folders: TenantFolders, substrate: SubstrateId) -> Status:
        """What the server says about itself.

        Raises:
            TenantSilent: it did not say it. `TenantAbsent` when no server runs.
        """
        status = self._read(await self._ask(folders, "GET", "/status", most=STATUS_MAX_BYTES), Status)
        if status.substrate != substrate:
            raise TenantSilent("the server claims to be another substrate's")
        return status

    async def examine(self, folders: TenantFolders) -> Examined:
        """Whether the memory is whole, as the server sees it.

        Raises:
            TenantSilent: it did not say it. `TenantAbsent` when no server runs.
        """
        body = await self._ask(folders, "GET", "/examination", most=ANSWER_MAX_BYTES, limit=EXAMINATION)
        return self._read(body, Examined)

    @asynccontextmanager
    async def memory(
        self, folders: TenantFolders, *, most: int, within: timedelta
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A copy of the memory, piece by piece; it ends well only if all that was announced has come.

        Raises:
            TenantSilent: it did not come, was cut, or was larger or slower than it may be. `TenantAbsent` when no
                server runs.
        """
        ends_at = asyncio.get_running_loop().time() + within.total_seconds()
        async with AsyncExitStack() as held:
            with _speaking():
                async with asyncio.timeout_at(ends_at):
                    reader, writer = await held.enter_async_context(_connection(folders.control_socket))
                    async with asyncio.timeout(PIECE_PATIENCE.total_seconds()):
                        answer = await begin(reader, writer, "POST", "/backup", most=most, headers={"Host": "tenant"})
            if answer.status != OK:
                raise TenantSilent(f"the server answered {answer.status}")
            yield _pieces(answer, ends_at)

    async def drain(self, folders: TenantFolders, *, idle: timedelta) -> Drained:
        """Let nobody in any more and finish, if nobody has used it for this long; zero is in any case.

        Raises:
            TenantSilent: it did not say that it did. `TenantAbsent` when no server runs.
        """
        order = DrainOrder(idle_ms=int(idle.total_seconds() * 1000))
        body = await self._ask(
            folders,
            "POST",
            "/drain",
            most=ANSWER_MAX_BYTES,
            headers={"Content-Type": "application/json"},
            content=msgspec.json.encode(order),
            limit=timedelta(seconds=DRAIN_SECONDS + self._limit),
        )
        return self._read(body, Drained)

    async def is_ready(self, folders: TenantFolders, host: str) -> bool:
        """Whether the edge answers under this host name, with a policy in force. Asked without the gateway."""
        try:
            await self._ask(folders, "GET", "/readyz", most=ANSWER_MAX_BYTES, at=folders.live_socket, host=host)
        except TenantSilent:
            return False
        return True

    async def _ask(
        self,
        folders: TenantFolders,
        method: str,
        path: str,
        *,
        most: int,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
        limit: timedelta | None = None,
        at: Path | None = None,
        host: str = "tenant",
    ) -> bytes:
        seconds = self._limit if limit is None else limit.total_seconds()
        with _speaking():
            async with asyncio.timeout(seconds), _connection(at or folders.control_socket) as (reader, writer):
                given = {"Host": host, **(headers or {})}
                status, body = await ask(reader, writer, method, path, most=most, headers=given, content=content)
        if status != OK:
            raise TenantSilent(f"the server answered {status}")
        return body

    def _read(self, body: bytes, form: type[T]) -> T:
        try:
            return read(body, form)
        except HostileAnswer as error:
            raise TenantSilent(str(error)) from None


@contextmanager
def _speaking() -> Iterator[None]:
    """Whatever goes wrong while speaking to the server, as one of two conditions."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise TenantAbsent(f"nobody listens on the control socket: {type(error).__name__}") from None
    except HostileAnswer as error:
        raise TenantSilent(f"the server did not answer as agreed: {error}") from None
    except (OSError, TimeoutError) as error:
        raise TenantSilent(f"the server did not answer as agreed: {type(error).__name__}") from None


@asynccontextmanager
async def _connection(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the socket itself, of no use to anybody afterwards."""
    with await in_thread(_pin, path) as pinned:
        dialled = _dial(pinned)
    reader, writer = await asyncio.open_unix_connection(sock=dialled)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _pieces(answer: Answer, ends_at: float) -> AsyncIterator[bytes]:
    pieces = answer.pieces()
    while True:
        with _speaking():
            async with asyncio.timeout_at(ends_at), asyncio.timeout(PIECE_PATIENCE.total_seconds()):
                piece = await anext(pieces, b"")
        if not piece:
            return
        yield piece


class _Pinned:
    """An open handle on a socket's file."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.handle)


def _pin(socket: Path) -> _Pinned:
    """The socket itself, not what its name may point at by the time it is dialled."""
    with _folder(socket.parent) as below:
        owner = os.fstat(below).st_uid
        handle = os.open(socket.name, PINNED, dir_fd=below)
    found = os.fstat(handle)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in {owner, 0}:
        os.close(handle)
        raise PermissionError("the socket is something else")
    return _Pinned(handle)


def _dial(pinned: _Pinned) -> socket.socket:
    """A connection, made at once or not at all: waiting for room in a full queue would be spinning.

    Raises:
        BlockingIOError: it listens and accepts nobody.
    """
    dialled = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        dialled.connect(f"/proc/self/fd/{pinned.handle}")
    except OSError:
        dialled.close()
        raise
    return dialled


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    handle = os.open(path, PINNED | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
