"""Every wake under way: one a tenant however many ask, a few at a time, a few more waiting for their turn.

A wake goes on when those who wait for it have gone away: it holds a lock and has changed the host.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from provisioner.waker.errors import InstanceUnavailable, TooManyWakes
from shared.kernel.clock import Clock
from shared.kernel.errors import AppError
from shared.kernel.ids import Slug
from shared.kernel.logs import logger

log = logger(__name__)

HOLD: Final = timedelta(seconds=10)
"""How long a request is held."""

PAUSE: Final = timedelta(seconds=2)
"""How long a server that did not start is left alone, as its callers are told to."""

Act = Callable[[Slug], Awaitable[None]]


class Wakes:
    """Holds requests until their tenant's server answers."""

    def __init__(
        self, wake: Act, settle: Act, clock: Clock, *, most: int, waiting: int, hold: timedelta = HOLD
    ) -> None:
        """`wake` has a server that answers, `settle` follows it; `most` wakes go on together, `waiting` more wait."""
        self._wake = wake
        self._settle = settle
        self._clock = clock
        self._turns = asyncio.Semaphore(most)
        self._room = most + waiting
        self._hold = hold.total_seconds()
        self._answering: dict[Slug, asyncio.Future[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: dict[Slug, datetime] = {}

    async def hold(self, slug: Slug) -> None:
        """Return when its server answers.

        Raises:
            TooManyWakes: no turn is to be had soon.
            InstanceUnavailable: it did not answer in time, or did not start.
            AppError: as the wake says.
        """
        answering = self._answering.get(slug) or self._begin(slug)
        try:
            async with asyncio.timeout(self._hold):
                await asyncio.shield(answering)
        except TimeoutError:
            raise InstanceUnavailable(because="it was not woken in time") from None

    async def finish(self) -> None:
        """Wait for what has begun."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, slug: Slug) -> asyncio.Future[None]:
        now = self._clock.now()
        self._failed = {name: at for name, at in self._failed.items() if now - at < PAUSE}
        if slug in self._failed:
            raise InstanceUnavailable(because="it has just failed to start")
        if len(self._answering) >= self._room:
            raise TooManyWakes
        answering = asyncio.get_running_loop().create_future()
        self._answering[slug] = answering
        task = asyncio.create_task(self._carry_out(slug, answering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return answering

    async def _carry_out(self, slug: Slug, answering: asyncio.Future[None]) -> None:
        error: AppError | None = None
        try:
            async with self._turns:
                await self._wake(slug)
        except AppError as refused:
            error = refused
        except Exception as failure:
            self._failed[slug] = self._clock.now()
            log.exception("could not wake", slug=slug, kind=type(failure).__name__)
            error = InstanceUnavailable(because=type(failure).__name__)
        # Whoever asks from now on has met another silence, and gets another wake.
        del self._answering[slug]
        if error is not None:
            answering.set_exception(error)
            answering.exception()  # seen, though everybody who waited may have gone
            return
        answering.set_result(None)
        await self._settle(slug)
