"""The one writer: a thread that owns the writing connection and commits for many at once.

Jobs wait in a queue. The thread takes all that are there, gives each a savepoint inside one transaction, and commits
once: a save costs its share of one fsync. Nobody is answered before the commit is on disk.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from data_plane.store.database import Tx, open_for_writing, transaction
from data_plane.store.errors import Busy, StorageFull
from data_plane.store.migrations import migrate

Result = TypeVar("Result")

MOST_AT_ONCE: Final = 64
"""Jobs in one commit: bounds how long the first one waits for the last."""

MOST_WAITING: Final = 1_000


@dataclass(slots=True)
class _Job:
    """Work to be done in a transaction, and who waits for it. The work may run twice, so it only uses its `Tx`."""

    work: Callable[[Tx], Any]
    loop: asyncio.AbstractEventLoop
    waiting: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def answer(self) -> None:
        """Tell who waits. Called on the loop; the waiting one may have gone away, its work is done all the same."""
        if self.waiting.done():
            return
        if self.error is not None:
            self.waiting.set_exception(self.error)
        else:
            self.waiting.set_result(self.result)


class Writer:
    """Owns the writing connection from `open` to `close`."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened yet."""
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._connection: apsw.Connection | None = None

    def open(self) -> None:
        """Open and migrate the database, then start the thread. Blocks."""
        self._connection = open_for_writing(self._path)
        migrate(self._connection)
        self._thread = threading.Thread(target=self._run, args=(self._connection,), name="writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what waits, bring the write-ahead log into the database, then close. Blocks."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
        if self._connection is not None:
            with suppress(apsw.BusyError):  # somebody else reads it: what is in the write-ahead log is safe there
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._connection.close()

    async def write(self, work: Callable[[Tx], Result]) -> Result:
        """What `work` returned, once it is on disk.

        Raises:
            Busy: too much is waiting.
            StorageFull: there is no room.
        """
        if self._jobs.qsize() >= MOST_WAITING:
            raise Busy
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Result] = loop.create_future()
        self._jobs.put(_Job(work=work, loop=loop, waiting=waiting))
        return await waiting

    def _run(self, connection: apsw.Connection) -> None:
        while True:
            first = self._jobs.get()
            if first is None:
                return
            batch = [first]
            ending = False
            while len(batch) < MOST_AT_ONCE and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    ending = True
                    break
                batch.append(following)
            _commit(connection, batch)
            for job in batch:
                job.loop.call_soon_threadsafe(job.answer)
            if ending:
                return


def _commit(connection: apsw.Connection, batch: list[_Job]) -> None:
    """Do a batch in one transaction; when that is lost as a whole, each job in its own."""
    try:
        with transaction(connection, writing=True) as tx:
            for job in batch:
                _attempt(tx, job)
    except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait
        if len(batch) == 1:
            batch[0].error = error
            return
        for job in batch:
            _commit(connection, [job])


def _attempt(tx: Tx, job: _Job) -> None:
    """One job inside the shared transaction: its failure undoes its own work only."""
    job.result = job.error = None
    tx.execute("SAVEPOINT job")
    try:
        job.result = job.work(tx)
    except apsw.FullError:
        if not tx.in_transaction:
            raise
        tx.execute("ROLLBACK TO job")
        job.error = StorageFull()
    except Exception as error:
        if not tx.in_transaction:
            raise
        tx.execute("ROLLBACK TO job")
        job.error = error
    tx.execute("RELEASE job")
