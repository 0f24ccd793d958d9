"""Speaking to a tenant's server over its control socket.

The control folder belongs to the tenant. A socket replaced by a symlink would have us speak to whatever it points at,
with root's rights; so the socket is pinned first, without following anything, and dialled through the pinned handle.
"""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, Self, TypeVar

from provisioner.hostile_http import HostileAnswer, ask, read
from provisioner.threads import in_thread
from shared.contracts.policy import Applied
from shared.contracts.state_folder import TenantFolders
from shared.contracts.tenant_server import ANSWER_MAX_BYTES, STATUS_MAX_BYTES, Status
from shared.kernel.ids import SubstrateId

T = TypeVar("T")

LIMIT: Final = timedelta(seconds=2)
"""For a whole exchange; a healthy server needs milliseconds."""

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

    async def _ask(
        self,
        folders: TenantFolders,
        method: str,
        path: str,
        *,
        most: int,
        headers: dict[str, str] | None = None,
        content: bytes = b"",
    ) -> bytes:
        try:
            async with asyncio.timeout(self._limit):
                with await in_thread(_pin, folders) as pinned:
                    dialled = _dial(pinned)
                reader, writer = await asyncio.open_unix_connection(sock=dialled)
                try:
                    given = {"Host": "tenant", **(headers or {})}
                    status, body = await ask(reader, writer, method, path, most=most, headers=given, content=content)
                finally:
                    writer.transport.abort()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise TenantAbsent(f"nobody listens on the control socket: {type(error).__name__}") from None
        except (OSError, TimeoutError, HostileAnswer) as error:
            raise TenantSilent(f"the server did not answer as agreed: {type(error).__name__}") from None
        if status != OK:
            raise TenantSilent(f"the server answered {status}")
        return body

    def _read(self, body: bytes, form: type[T]) -> T:
        try:
            return read(body, form)
        except HostileAnswer as error:
            raise TenantSilent(str(error)) from None


class _Pinned:
    """An open handle on a socket's file."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.handle)


def _pin(folders: TenantFolders) -> _Pinned:
    """The control socket itself, not what its name may point at by the time it is dialled."""
    with _folder(folders) as below:
        owner = os.fstat(below).st_uid
        handle = os.open(folders.control_socket.name, PINNED, dir_fd=below)
    found = os.fstat(handle)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in {owner, 0}:
        os.close(handle)
        raise PermissionError("the control socket is something else")
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
def _folder(folders: TenantFolders) -> Iterator[int]:
    handle = os.open(folders.control, PINNED | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
