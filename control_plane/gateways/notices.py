"""Notices: what the database says has changed, so that a waiting request answers at once.

PostgreSQL's LISTEN over one connection of its own. A notice may be lost (the connection breaks and is made anew), so
whoever waits also looks again from time to time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import asyncpg

from shared.contracts.operations import CHANNEL_OPERATION, CHANNEL_POLICY, CHANNEL_USAGE
from shared.kernel.logs import logger
from shared.registry.database import Database

log = logger(__name__)

CHANNELS: Final = [CHANNEL_OPERATION, CHANNEL_POLICY, CHANNEL_USAGE]

LOOK_AGAIN_SECONDS: Final = 1.0
"""How long a notice may be lost before the waiting request looks for itself."""

RECONNECT_SECONDS: Final = 1.0


class Bell:
    """Rings when the awaited notice arrives."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Return on the next notice, and after `seconds` or a safe moment in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, LOOK_AGAIN_SECONDS)):
                await self._rung.wait()
        self._rung.clear()


class Notices:
    """Everybody who waits, and the one connection that hears for them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._bells: dict[tuple[str, str], set[Bell]] = defaultdict(set)
        self._hearing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to listen."""
        self._hearing = asyncio.create_task(self._hear_for_ever())

    async def close(self) -> None:
        """Stop listening."""
        if self._hearing is not None:
            self._hearing.cancel()
            with suppress(asyncio.CancelledError):
                await self._hearing

    @contextmanager
    def expect(self, channel: str, payload: str) -> Iterator[Bell]:
        """A bell for one notice. Look at the row after this begins, or a change in between is missed."""
        bell = Bell()
        self._bells[channel, payload].add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[channel, payload]
            bells.discard(bell)
            if not bells:
                del self._bells[channel, payload]

    def _heard(self, channel: str, payload: str) -> None:
        for bell in self._bells.get((channel, payload), ()):
            bell.ring()

    async def _hear_for_ever(self) -> None:
        while True:
            lost = asyncio.Event()
            connection: Any = None
            try:
                connection = await self._database.listen(CHANNELS, self._heard, lost)
                await lost.wait()
                log.warning("the connection for notices broke; it is made anew")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("no connection for notices", error=type(error).__name__)
            finally:
                if connection is not None and not connection.is_closed():
                    await connection.close(timeout=1)
            await asyncio.sleep(RECONNECT_SECONDS)
