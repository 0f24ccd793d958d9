"""One asyncio loop in a thread of its own, for a program whose main thread is Celery's."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Final

from provisioner.runtimes.runtime import Runtime
from provisioner.settings import ProvisionerSettings
from provisioner.wiring import Works, assemble
from shared.kernel.logs import logger

log = logger(__name__)

Work = Callable[[Works], Awaitable[None]]

THREADS: Final = 64
"""For blocking calls at the edge. A server that takes its time to stop must not hold up a neighbour's policy."""

STOP_SECONDS: Final = 25.0
"""Longer than any single call that has begun may take to be cut."""


class LoopThread:
    """Runs the engine, and takes work from other threads."""

    def __init__(self, settings: ProvisionerSettings, runtime: Runtime) -> None:
        """Nothing runs before `start`."""
        self._settings = settings
        self._runtime = runtime
        self._thread = threading.Thread(target=self._run, name="engine")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._works: Works | None = None
        self._begun = threading.Event()
        self._counting = threading.Lock()
        self.handed_over = 0
        """How many threads wait for what they have handed over."""
        self.failed = False
        """Whether it has ended without having been asked to."""

    def start(self) -> None:
        """Begin; returns once the loop takes work."""
        self._thread.start()
        self._begun.wait()

    def hand_over(self, work: Work) -> None:
        """Do this on the loop and wait until it is done; while the engine is still starting, or stops, it is dropped.

        Dropping is right: the row is the truth, and the sweep finds what nobody did.
        """
        loop, works = self._loop, self._works
        if loop is None or works is None:
            return
        with self._counting:
            self.handed_over += 1
        try:
            asyncio.run_coroutine_threadsafe(_wrapped(work, works), loop).result()
        except (asyncio.CancelledError, RuntimeError):
            log.info("nudge dropped: the worker stops")
        finally:
            with self._counting:
                self.handed_over -= 1

    def ask_to_stop(self) -> None:
        """Cut what is under way and give leases back. Returns at once."""
        if self._loop is not None and self._stop is not None:
            try:
                self._loop.call_soon_threadsafe(self._stop.set)
            except RuntimeError:
                return  # it has ended already

    def join(self) -> None:
        """Wait until it has ended, but not for ever: leases run out by themselves."""
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException:
            log.exception("the engine has ended")
            self.failed = True
            # A worker without its engine would look alive and do nothing. Whoever keeps it running starts it again.
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            self._begun.set()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="edge"))
        self._begun.set()
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
        await asyncio.wait({working})
        self._works = None
        if not working.cancelled():
            working.result()

    async def _work(self) -> None:
        async with AsyncExitStack() as held:
            self._works = await assemble(self._settings, self._runtime, held)
            log.info("engine runs", runtime=self._settings.runtime.value)
            await self._works.run()


async def _wrapped(work: Work, works: Works) -> None:
    await work(works)
