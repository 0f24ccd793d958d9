"""Reading from a coroutine's side in a thread: age and gzip block, the tenant's server is spoken to without blocking.

The thread asks for each piece only when it needs one, so nothing piles up between the two, however slow one of them is.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Pulled:
    """The pieces of an asynchronous iterator, for a thread."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        """Made on the loop that the pieces belong to."""
        self._pieces = pieces
        self._loop = asyncio.get_running_loop()
        self._asked: Future[bytes] | None = None
        self._stopped = threading.Event()

    def __call__(self) -> bytes:
        """The next piece; empty after the last. Called in the thread."""
        self._asked = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        if self._stopped.is_set():
            self._asked.cancel()
        return self._asked.result()

    def stop(self) -> None:
        """Have the thread end at its next piece, or at the one it waits for."""
        self._stopped.set()
        if self._asked is not None:
            self._asked.cancel()

    async def _next(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""


async def in_stoppable_thread(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """Run `work` in a thread; when the caller is cancelled, `stop` it and wait until it has ended."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop()
        while not working.done():
            try:
                await asyncio.wait({working})
            except asyncio.CancelledError:
                continue  # asked twice; it is ending already
        if not working.cancelled():
            working.exception()  # seen, so that asyncio does not report it as forgotten
        raise
