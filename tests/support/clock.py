"""A clock that tests move: short waits pass at once, long ones until the test lets them."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Final

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


class ManualClock:
    """See `shared.kernel.clock.Clock`."""

    def __init__(self, moment: datetime = NOON, *, at_once: timedelta = timedelta(seconds=2)) -> None:
        """Sleeps of up to `at_once` move the clock themselves and return; longer ones wait for the time to come."""
        self._moment = moment
        self._at_once = at_once
        self._sleepers: list[tuple[datetime, int, asyncio.Event]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return self._moment

    async def sleep(self, pause: timedelta) -> None:
        """See `Clock.sleep`."""
        if pause <= self._at_once:
            self.advance(pause)
            await asyncio.sleep(0)
            return
        awake = asyncio.Event()
        heapq.heappush(self._sleepers, (self._moment + pause, next(self._numbers), awake))
        await awake.wait()

    def advance(self, by: timedelta) -> None:
        """Let time pass; whoever slept until now wakes."""
        self._moment += max(by, timedelta())
        while self._sleepers and self._sleepers[0][0] <= self._moment:
            heapq.heappop(self._sleepers)[2].set()
