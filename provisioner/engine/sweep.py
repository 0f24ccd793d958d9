"""Finding due work once a second, with PostgreSQL alone.

Messages make work start sooner; the sweep makes it start at all. It needs no Redis, and when PostgreSQL goes away it
waits for it to come back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from provisioner.engine.leases import REGISTRY_AWAY
from shared.kernel.clock import Clock
from shared.kernel.logs import logger
from shared.registry.database import Database, Tx

log = logger(__name__)

K = TypeVar("K", bound=Hashable)

BATCH: Final = 100
"""How much due work is looked at in one round; the next round sees the rest."""


class Crew(Generic[K]):
    """Does one kind of work for many keys at a time, each key once at a time, and no more than `most` together."""

    def __init__(self, work: Callable[[K], Awaitable[None]], *, most: int) -> None:
        """`work` is what is done for a key."""
        self._work = work
        self._room = asyncio.Semaphore(most)
        self._under_way: dict[K, asyncio.Task[None]] = {}
        self._asked_again: set[K] = set()

    def start(self, key: K) -> asyncio.Task[None]:
        """Begin the work for this key unless it is under way: what the sweep found may be just that."""
        found = self._under_way.get(key)
        if found is None:
            found = asyncio.create_task(self._run(key))
            self._under_way[key] = found
            found.add_done_callback(lambda _task: self._under_way.pop(key, None))
        return found

    async def do(self, key: K) -> None:
        """Do the work for this key. If it is under way it is done once more, for it may have looked too early."""
        if key in self._under_way:
            self._asked_again.add(key)
        await asyncio.wait([self.start(key)])

    async def stop(self) -> None:
        """Cut everything that is under way and wait until it has ended."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: K) -> None:
        async with self._room:
            while True:
                self._asked_again.discard(key)
                try:
                    await self._work(key)
                except Exception:  # one key's trouble must not end the sweep
                    log.exception("work failed", key=str(key))
                if key not in self._asked_again:
                    return


@dataclass(frozen=True, slots=True)
class Lookout:
    """One question the sweep asks the registry, and the crew that does what the answer names."""

    list_due: Callable[[Tx, datetime, int], Awaitable[list[Any]]]
    crew: Crew[Any]


class Sweep:
    """The loop."""

    def __init__(self, database: Database, clock: Clock, every: timedelta, lookouts: list[Lookout]) -> None:
        """`every` is a second, in seconds' truth: what a lost message costs."""
        self._database = database
        self._clock = clock
        self._every = every
        self._lookouts = lookouts
        self._away = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(self._every)

    async def look(self) -> None:
        """One round: start whatever is due and not under way here."""
        for lookout in self._lookouts:
            try:
                async with self._database.transaction() as tx:
                    due = await lookout.list_due(tx, self._clock.now(), BATCH)
            except REGISTRY_AWAY as error:
                self._note_away(error)
                return
            except Exception:  # a worker whose sweep has ended looks alive and does nothing
                log.exception("the sweep could not look")
                return
            self._away = False
            for key in due:
                lookout.crew.start(key)

    def _note_away(self, error: Exception) -> None:
        """Say it once, not every second."""
        if not self._away:
            log.warning("registry does not answer; waiting for it", error=type(error).__name__)
        self._away = True
