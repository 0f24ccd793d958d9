"""The lock of one substrate on this host: held by whoever starts, stops or feeds its server.

flock(2) on a file that only the host can reach. The kernel gives it back when its holder dies. The file goes away with
the substrate, so whoever has waited for it looks whether the file it has locked is still the one with that name.
"""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from provisioner.places.errors import PlaceGone, PlaceLocked
from shared.kernel.clock import Clock
from shared.kernel.ids import SubstrateId

PATIENCE: Final = timedelta(seconds=30)
"""Longer than any step holds it."""

PAUSE: Final = timedelta(milliseconds=20)


@asynccontextmanager
async def locked(path: Path, substrate: SubstrateId, clock: Clock) -> AsyncIterator[None]:
    """Hold the lock.

    Raises:
        PlaceGone: there is no such file, or it was removed while we waited.
        PlaceLocked: somebody has held it for too long.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise PlaceGone(substrate) from None
    try:
        gives_up = clock.now() + PATIENCE
        while not _taken(handle):
            if clock.now() >= gives_up:
                raise PlaceLocked(str(path))
            await clock.sleep(PAUSE)
        if not _is_same(handle, path):
            raise PlaceGone(substrate)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(handle: int, path: Path) -> bool:
    ours = os.fstat(handle)
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)
