"""One run of the simulation from one seed."""

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.kernel.ids import OperationId, SubstrateId
from tests.simulation import loop
from tests.simulation.customers import Customers
from tests.simulation.faults import Faults, WorkerDied
from tests.simulation.ground import Ground
from tests.simulation.oracle import Broken, Oracle
from tests.simulation.registry import MemoryRegistry
from tests.simulation.worker import Worker, keep_running

RATES: Final = (0.0, 0.01, 0.03, 0.08)
TROUBLE_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 1_000.0
"""Longer than any deadline: by then everything has ended, or it never will."""

SETTLED_SECONDS: Final = 25.0
"""Two rounds of the watch after the last operation has ended."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a seed led to."""

    seed: int
    broken: str | None
    trace: tuple[str, ...]

    def report(self) -> str:
        """What a person needs to see it again."""
        again = f"python -m tests.simulation --seed {self.seed}"
        return f"seed {self.seed}: {self.broken}\nsee it again: {again}\n" + "\n".join(self.trace[-200:])


def simulate(seed: int) -> Outcome:
    """The same seed leads to the same outcome, line by line."""
    chance = random.Random(seed)  # noqa: S311 - reproducible on purpose
    faults = Faults(chance, rate=chance.choice(RATES))
    try:
        loop.run(_world(faults, chance), chance)
    except (Broken, loop.Stuck) as broken:
        return Outcome(seed, str(broken) or type(broken).__name__, tuple(faults.trace))
    return Outcome(seed, None, tuple(faults.trace))


def _going(registry: MemoryRegistry) -> set[SubstrateId]:
    rows = registry.look("SELECT id FROM substrate WHERE status IN ('deleting', 'deleted')")
    return {row["id"] for row in rows}


async def _world(faults: Faults, chance: random.Random) -> None:
    running = asyncio.get_running_loop()
    registry, ground = MemoryRegistry(), Ground()
    ground.is_deleting = lambda substrate: substrate in _going(registry)
    oracle, staff = Oracle(registry, ground, faults), list[Worker]()
    broken: list[BaseException] = []

    def watched() -> None:
        faults.seconds = running.time()
        try:
            oracle.before_commit()
            oracle.after_step()
        except Broken as found:
            broken.append(found)
            raise

    def unexpected(_loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, WorkerDied | Broken):
            faults.note("loop", f"{context['message']}: {error!r}")

    registry.on_commit = watched
    running.set_exception_handler(unexpected)
    customers = Customers(registry, faults, lambda task, key: _deliver(task, key, staff, faults))
    supervisors = [
        running.create_task(
            keep_running(f"worker-{number}", lambda name: Worker(name, registry, ground, faults), staff, chance)
        )
        for number in range(1, chance.choice([2, 2, 3]) + 1)
    ]
    lives = [running.create_task(customers.live(chance.randint(1, 5))) for _ in range(chance.choice([1, 2]))]
    mischief = running.create_task(_mischief(staff, faults, chance))
    while (running.time() < TROUBLE_SECONDS or not all(life.done() for life in lives)) and not broken:
        await _tick(oracle, faults, broken)
    faults.over = True
    mischief.cancel()
    _fail_on(broken)
    for life in lives:
        life.result()
    ends, settled = running.time() + QUIET_SECONDS, 0.0
    while settled < SETTLED_SECONDS and running.time() < ends and not broken:
        await _tick(oracle, faults, broken)
        settled = settled + 1.0 if _all_ended(oracle) else 0.0
    _fail_on(broken)
    for ended in (supervisor for supervisor in supervisors if supervisor.done()):
        ended.result()
    oracle.at_the_end(customers.asked_to_delete)
    for supervisor in supervisors:
        supervisor.cancel()


async def _tick(oracle: Oracle, faults: Faults, broken: list[BaseException]) -> None:
    await asyncio.sleep(1.0)
    faults.seconds = asyncio.get_running_loop().time()
    try:
        oracle.after_step()
    except Broken as found:
        broken.append(found)


def _fail_on(broken: list[BaseException]) -> None:
    if broken:
        raise broken[0]


def _all_ended(oracle: Oracle) -> bool:
    return all(row["status"] not in {"queued", "running"} for row in oracle.operations.values())


def _deliver(task: str, key: str, staff: list[Worker], faults: Faults) -> None:
    """A message through the broker: lost, once or twice, soon or much later, to whichever worker takes it."""
    running, chance = asyncio.get_running_loop(), faults.chance
    for _ in range(chance.choice([0, 1, 1, 1, 2])):
        late = chance.choice([0.01, 0.01, chance.uniform(0, 60)])
        running.call_later(late, _ring, task, key, staff, chance)


def _ring(task: str, key: str, staff: list[Worker], chance: random.Random) -> None:
    alive = [worker for worker in staff if not worker.dead]
    if not alive:
        return
    worker = chance.choice(alive)
    if task == "advance":
        worker.advance.start(OperationId(key))
    else:
        worker.push.start(SubstrateId(key))


async def _mischief(staff: list[Worker], faults: Faults, chance: random.Random) -> None:
    """What happens to whole workers, besides what happens at a call."""
    while True:
        await asyncio.sleep(chance.uniform(3, 20))
        alive = [worker for worker in staff if not worker.dead]
        if not alive or faults.rate == 0:
            continue
        worker = chance.choice(alive)
        match chance.choice(["kill", "stop", "pause", "clock"]):
            case "kill":
                worker.kill()
            case "stop":
                await worker.stop()
            case "pause":
                worker.pause(faults.pause())
            case "clock":
                worker.clock.ahead += timedelta(seconds=chance.uniform(-20, 20))
                faults.note(worker.name, f"its clock jumps: {worker.clock.ahead} ahead")
