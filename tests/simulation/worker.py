"""A worker of the simulation: the real engine and programs on tools that fail, stall and die with it."""

import asyncio
import dataclasses
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from provisioner.engine.leases import Leases
from provisioner.engine.runner import Runner
from provisioner.engine.sweep import Crew, Lookout, Sweep
from provisioner.programs.catalogue import PROGRAMS
from provisioner.programs.push_policy import push_policy
from provisioner.programs.tools import Tools
from provisioner.programs.watch import watch
from provisioner.runtimes.runtime import RuntimeAway
from provisioner.tenant_client import TenantSilent
from shared.kernel.ids import OperationId, SubstrateId
from shared.registry import operations, policies
from tests.simulation.faults import Fate, Faults, WorkerDied, moment
from tests.simulation.ground import Ground, Keys, tools_of
from tests.simulation.registry import MemoryRegistry

SWEEP_EVERY: Final = timedelta(seconds=2)
WATCH_EVERY: Final = timedelta(seconds=10)
MOST: Final = 8
MODELLED: Final = frozenset({"database", "keys", "clock", "places", "runtime", "tenant", "gateway"})

BREAKS: Final[dict[str, Callable[[], Exception]]] = {
    "places": lambda: OSError("the disk hiccuped"),
    "runtime": lambda: RuntimeAway("the engine is away"),
    "tenant": lambda: TenantSilent("it does not answer"),
    "gateway": lambda: OSError("the gateway is away"),
}


class WorkerClock:
    """The worker's own idea of the time, which may jump."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self.ahead = timedelta(0)
        self.latest = moment(0)
        """The latest that anybody here was ever told: after a jump back somebody may still act on it."""

    def now(self) -> datetime:
        told = moment(asyncio.get_running_loop().time()) + self.ahead
        self.latest = max(self.latest, told)
        return told

    async def sleep(self, pause: timedelta) -> None:
        await asyncio.sleep(max(0.0, pause.total_seconds()))
        await self._worker.gate()


class Worker:
    """One process."""

    def __init__(self, name: str, registry: MemoryRegistry, ground: Ground, faults: Faults) -> None:
        """Nothing runs before `run`."""
        self.name, self.faults, self.registry, self.ground = name, faults, registry, ground
        self.dead = False
        self.ended = asyncio.Event()
        self.clock = WorkerClock(self)
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._main: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[Any]] = set()
        self.tools = Tools(
            database=_WorkerDatabase(self),  # type: ignore[arg-type]
            keys=Keys(),  # type: ignore[arg-type]
            clock=self.clock,
            **{part: _Breaking(tool, part, self) for part, tool in tools_of(ground, self).items()},
            **{field.name: _NotHere(field.name) for field in dataclasses.fields(Tools) if field.name not in MODELLED},
        )
        runner = Runner(
            database=self.tools.database,
            leases=Leases(self.tools.database, self.clock, name),
            programs=PROGRAMS,
            tools=self.tools,
            clock=self.clock,
        )
        self.advance: Crew[OperationId] = Crew(runner.advance, most=MOST)
        self.push: Crew[SubstrateId] = Crew(lambda substrate: push_policy(substrate, self.tools), most=MOST)
        lookouts = [Lookout(operations.list_due, self.advance), Lookout(policies.list_push_due, self.push)]
        self._sweep = Sweep(self.tools.database, self.clock, SWEEP_EVERY, lookouts)

    def start(self) -> None:
        """Begin to sweep and watch."""
        self._main = asyncio.create_task(self._run(), name=self.name)

    def kill(self) -> None:
        """As SIGKILL does: the kernel gives its locks back, its connections break, nothing of ours runs."""
        if self.dead:
            return
        self.dead = True
        self.ended.set()
        self.faults.note(self.name, "killed")
        self.ground.release(self)
        self._may_run.set()
        for task in (self._main, *self.advance._under_way.values(), *self.push._under_way.values()):
            if task is not None:
                task.cancel()

    async def stop(self) -> None:
        """As SIGTERM does: cut what is under way and give leases back."""
        self.faults.note(self.name, "asked to stop")
        assert self._main is not None
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)
        self.dead = True
        self.ended.set()

    def pause(self, seconds: float) -> None:
        """As SIGSTOP does, for a while: it stands still where it is, and holds what it holds."""
        self.faults.note(self.name, f"stands still for {seconds:.1f} s")
        self._may_run.clear()
        asyncio.get_running_loop().call_later(seconds, self._may_run.set)

    async def gate(self) -> None:
        """Whoever belongs to this worker passes here before and after whatever can be seen from outside."""
        await self._may_run.wait()
        if self.dead:
            raise WorkerDied

    async def meet(self, fate: Fate) -> None:
        """What a fate does to the worker before the call."""
        if fate in {Fate.KILLED_BEFORE, Fate.LATE}:
            self.kill()
        if fate is Fate.PAUSED:
            self.pause(self.faults.pause())
        await asyncio.sleep(self.faults.latency(slow=fate is Fate.SLOW))
        await self.gate()

    async def act(self, label: str, call: Callable[[], Awaitable[Any]], trouble: Callable[[], Exception]) -> Any:
        """One call to the outside. Its end is waited for even by a caller that is cancelled, as threads are."""
        fate = self.faults.draw()
        if fate is Fate.LATE and not label.startswith("runtime."):
            fate = Fate.KILLED_BEFORE  # only the engine is a program of its own, which goes on
        self.faults.note(self.name, label if fate is Fate.WELL else f"{label}: {fate.name.lower()}")
        running = asyncio.ensure_future(self._carry_out(fate, call, trouble))
        self._late.add(running)
        running.add_done_callback(self._late.discard)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done() and not self.dead:
                try:
                    await asyncio.wait({running}, timeout=1)
                except asyncio.CancelledError:
                    continue
            if running.done() and not running.cancelled():
                running.exception()
            raise

    async def _carry_out(self, fate: Fate, call: Callable[[], Awaitable[Any]], trouble: Callable[[], Exception]) -> Any:
        if fate is Fate.LATE:
            self.kill()
            await asyncio.sleep(self.faults.latency(slow=True))
            await call()
        await self.meet(fate)
        if fate in {Fate.BREAKS_BEFORE, Fate.HALF}:
            raise trouble()
        answer = await call()
        if fate is Fate.KILLED_AFTER:
            self.kill()
        await self.gate()
        if fate is Fate.BREAKS_AFTER:
            raise trouble()
        return answer

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._sweep.run())
                loops.create_task(self._watch())
        finally:
            for crew in (self.advance, self.push):
                await crew.stop()

    async def _watch(self) -> None:
        while True:
            try:
                await watch(self.tools)
            except Exception as trouble:  # noqa: BLE001 - as the worker's own loop: the next round looks again
                self.faults.note(self.name, f"could not watch: {trouble!r}")
            await self.clock.sleep(WATCH_EVERY)


class _NotHere:
    """A tool that this world does not have; a program that uses it needs a fake in `ground` first."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise AssertionError(f"the simulation has no {self._name}, whose {attribute} a program uses")


class _Breaking:
    """A tool, breakable in all its coroutines."""

    def __init__(self, tool: Any, part: str, worker: Worker) -> None:
        self._tool, self._part, self._worker = tool, part, worker

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._tool, attribute)
        if not inspect.iscoroutinefunction(found):
            return found
        label = f"{self._part}.{attribute}"

        async def broken(*args: Any, **kwargs: Any) -> Any:
            return await self._worker.act(label, lambda: found(*args, **kwargs), BREAKS[self._part])

        return broken


class _WorkerDatabase:
    """The worker's connection: it may break before the first word, before the commit, or before the answer."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        worker, fate = self._worker, self._worker.faults.draw()
        if fate is not Fate.WELL:
            worker.faults.note(worker.name, f"transaction: {fate.name.lower()}")
        await worker.meet(fate)
        if fate is Fate.BREAKS_BEFORE:
            raise ConnectionResetError
        async with worker.registry.transaction() as tx:
            worker.registry.writer, worker.registry.time_of_writer = worker.name, worker.clock.latest
            yield tx
            if worker.dead:
                raise WorkerDied
            if fate is Fate.HALF:
                raise ConnectionResetError
        if fate is Fate.KILLED_AFTER:
            worker.kill()
        await worker.gate()
        if fate is Fate.BREAKS_AFTER:
            raise ConnectionResetError


async def keep_running(name: str, make: Callable[[str], Worker], staff: list[Worker], chance: random.Random) -> None:
    """A supervisor: whoever has died is started again, under another name."""
    for life in range(1, 1_000):
        worker = make(f"{name}.{life}")
        staff.append(worker)
        worker.start()
        await worker.ended.wait()
        staff.remove(worker)
        await asyncio.sleep(chance.uniform(0.5, 5))
