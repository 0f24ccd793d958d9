"""Reading, off the event loop: a few threads, each with a connection of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from data_plane.store.database import Tx, open_for_reading, transaction

Result = TypeVar("Result")

THREADS: Final = 2


class Readers:
    """Runs questions to the database beside the writer; WAL lets neither wait for the other."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first question."""
        self._path = path
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._mine = threading.local()
        self._opened: list[apsw.Connection] = []

    async def read(self, question: Callable[[Tx], Result]) -> Result:
        """The answer to a question, asked within one reading transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    def close(self) -> None:
        """Let running questions end, then close."""
        self._threads.shutdown()
        for connection in self._opened:
            connection.close()

    def _ask(self, question: Callable[[Tx], Result]) -> Result:
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = open_for_reading(self._path)
            self._opened.append(connection)
        with transaction(connection) as tx:
            return question(tx)
