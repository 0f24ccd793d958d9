"""Notices: what the database says has changed, so that a waiting request answers at once.

PostgreSQL's LISTEN over one connection of its own. A notice may be lost (the connection breaks and is made anew), so
whoever waits also looks again from time to time.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

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
        self._closing = asyncio.Event()

    async def open(self) -> None:
        """Begin to listen."""
        self._hearing = asyncio.create_task(self._hear_until_closing())

    async def close(self) -> None:
        """Stop listening. Not by canceling: that would lose a connection which is just being made."""
        self._closing.set()
        if self._hearing is not None:
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

    async def _hear_until_closing(self) -> None:
        while not self._closing.is_set():
            try:
                await self._hear()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("no connection for notices", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(RECONNECT_SECONDS):
                    await self._closing.wait()

    async def _hear(self) -> None:
        """Hear until the connection breaks or the program ends."""
        lost = asyncio.Event()
        connection = await self._database.listen(CHANNELS, self._heard, lost)
        over = [asyncio.create_task(event.wait()) for event in (lost, self._closing)]
        try:
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in over:
                task.cancel()
            if not connection.is_closed():
                await connection.close(timeout=1)
        if not self._closing.is_set():
            log.warning("the connection for notices broke; it is made anew")
