"""Putting another memory in a tenant's place: filled beside it by the host, exchanged in one system call.

The folder that is filled lies in the tenant's outer folder, which the tenant cannot write, so nothing the host opens
there is the tenant's doing. `renameat2(2)` with `RENAME_EXCHANGE` leaves no moment without a memory: whoever starts the
server in between finds the one or the other. Which of the two is in place is told by its inode number, noted before.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

from provisioner.places import folders, removal
from provisioner.places.ownership import Access

FILLED: Final = "restored"
"""The folder beside `data`: the new memory before the exchange, the previous one after it."""

NOTE: Final = "restoring"
"""The file that says for which operation, and which inode the new memory has."""

NOTE_BYTES: Final = 200
FDCWD: Final = -100
RENAME_EXCHANGE: Final = 2


def fresh(tenant: Path) -> Path:
    """An empty folder for the new memory, the host's alone until it is handed over."""
    drop(tenant)
    folder = tenant / FILLED
    folder.mkdir(mode=0o700)
    return folder


def hand_over(tenant: Path, access: Access, operation: str) -> None:
    """Give the filled folder to the tenant, and note what it is for. Nothing may be written to it afterwards."""
    with folders.opened(tenant / FILLED) as filled:
        for name in os.listdir(filled):  # noqa: PTH208 - a handle, no path
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=filled)
            try:
                folders.apply(handle, Access(access.uid, access.gid, 0o600))
            finally:
                os.close(handle)
        inode = os.fstat(filled).st_ino
        folders.apply(filled, access)
        os.fsync(filled)
    folders.write_file(tenant, NOTE, f"{operation} {inode}".encode(), Access(-1, -1, 0o400))


def noted(tenant: Path) -> str | None:
    """The operation that the filled folder is for, if one is filled."""
    note = folders.read_file(tenant / NOTE, most=NOTE_BYTES)
    return note.decode().split()[0] if note else None


def is_in_place(tenant: Path, data: Path) -> bool:
    """Whether the new memory is the one that the server uses."""
    note = folders.read_file(tenant / NOTE, most=NOTE_BYTES)
    return note is not None and int(note.decode().split()[1]) == data.lstat().st_ino


def put_in_place(tenant: Path, data: Path, *, new: bool) -> None:
    """Have the new memory, or the previous one, in place; the server must be gone."""
    if is_in_place(tenant, data) is new:
        return
    _exchange(data, tenant / FILLED)
    folders.sync_folder(tenant)


def drop(tenant: Path) -> None:
    """Remove whichever memory is not in place. The note goes first: it must never speak of another folder."""
    (tenant / NOTE).unlink(missing_ok=True)
    removal.remove(tenant / FILLED)


def _exchange(one: Path, other: Path) -> None:
    """Two names change places, at once (renameat2(2); Python has no name for it)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(FDCWD, os.fsencode(one), FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
