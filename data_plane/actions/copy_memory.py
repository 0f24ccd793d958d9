"""A consistent copy of the memory, beside everything else that goes on.

SQLite's backup API within one reading transaction: what is saved meanwhile is not in the copy and does not begin it
anew, and the writer waits for nothing. The copy is a file without a name, so it is gone when it is closed, whatever
becomes of the server: a name would outlive a crash and take up the tenant's disk.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import apsw

from data_plane.store.database import open_for_reading
from data_plane.store.errors import Busy, StorageFull

PAGES_AT_A_TIME: Final = 512
"""Two megabytes: between two of them the copying can be given up."""

PART_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Copy:
    """One moment of the memory, as a SQLite database file."""

    file: BinaryIO
    size: int

    async def parts(self) -> AsyncIterator[bytes]:
        """Its bytes, in order; it is gone afterwards."""
        try:
            while part := await asyncio.to_thread(self.file.read, PART_BYTES):
                yield part
        finally:
            self.file.close()


class Copier:
    """Makes copies, one at a time: each needs as much disk as the memory itself."""

    def __init__(self, database: Path) -> None:
        """Nothing is opened yet."""
        self._database = database
        # The thread holds it, not the request: a request may go away while its thread still copies.
        self._one_at_a_time = threading.Lock()

    async def copy(self) -> Copy:
        """The memory as it is now.

        Raises:
            Busy: another copy is being made.
            StorageFull: there is no room for a copy.
        """
        return await asyncio.to_thread(self._copied_alone)

    def _copied_alone(self) -> Copy:
        if not self._one_at_a_time.acquire(blocking=False):
            raise Busy
        try:
            return _copied(self._database)
        finally:
            self._one_at_a_time.release()


def _copied(database: Path) -> Copy:
    aside = database.with_name(".copy")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    file = os.fdopen(handle, "rb")
    try:
        try:
            target = apsw.Connection(str(aside))
        finally:
            aside.unlink()
        with closing(target), closing(open_for_reading(database)) as source:
            _fill(target, source)
        return Copy(file=file, size=os.fstat(handle).st_size)
    except BaseException as error:
        file.close()
        if isinstance(error, apsw.FullError | apsw.IOError):
            raise StorageFull from None
        raise


def _fill(target: apsw.Connection, source: apsw.Connection) -> None:
    # No journal and no sync: a copy that was not finished is nobody's, and it never needs to survive anything.
    target.pragma("journal_mode", "off")
    target.pragma("synchronous", "off")
    source.execute("BEGIN")
    source.execute("SELECT count(*) FROM sqlite_schema").get  # noqa: B018 - from here on it sees this one moment
    with target.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(PAGES_AT_A_TIME)
    source.execute("COMMIT")
