"""Running an operation: take its lease, run steps until one pauses or the operation ends, give the lease back.

Everything the runner writes repeats the lease's number. When the lease is lost it stops without a trace; when the
registry is away it stops too, and whoever finds the operation due afterwards goes on at the step it had reached.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Generic, TypeVar, assert_never

from provisioner.engine import moves
from provisioner.engine.leases import REGISTRY_AWAY, Leases
from provisioner.engine.moves import Fail, Move, Pause, Proceed, Succeed
from provisioner.engine.outcome import GiveUp, TryAgain
from provisioner.engine.program import Program, Turn
from shared.contracts.operations import Kind
from shared.kernel.clock import Clock
from shared.kernel.ids import OperationId
from shared.kernel.logs import logger
from shared.lifecycle.operation import Event, Status, after
from shared.registry import operations
from shared.registry.database import Database
from shared.registry.operations import Failure, Lease, LeaseLost, Operation, StepRecord

log = logger(__name__)

T = TypeVar("T")

STEP_LIMIT: Final = 60.0
"""Seconds after which a step that does not answer is cut and tried again. Every call inside has a shorter limit.

A program may allow more to steps that move much data.
"""


class Runner(Generic[T]):
    """Carries operations out with one worker's tools."""

    def __init__(
        self, *, database: Database, leases: Leases, programs: Mapping[Kind, Program[T]], tools: T, clock: Clock
    ) -> None:
        """One for each worker."""
        self._database = database
        self._leases = leases
        self._programs = programs
        self._tools = tools
        self._clock = clock

    async def advance(self, operation: OperationId) -> None:
        """Take the operation's lease and run it until it pauses or ends. Somebody else's turn is no error."""
        try:
            taken = await self._leases.take(operation)
        except REGISTRY_AWAY as error:
            log.warning("registry does not answer", operation=operation, error=type(error).__name__)
            return
        if taken is not None:
            await self._run_leased(*taken)

    async def _run_leased(self, operation: Operation, lease: Lease) -> None:
        """Run while the lease is kept: whichever ends first, running or keeping, ends the other."""
        keeping = asyncio.create_task(self._leases.keep(lease))
        working = asyncio.create_task(_Run(self, operation, lease).to_a_pause())
        try:
            await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                log.warning("lease lost", operation=operation.id, step=operation.step)
        except asyncio.CancelledError:
            # This worker is being stopped: cut the step, which may be cut anywhere, and let another go on at once.
            await _cut(working)
            await self._leases.give_back(lease)
            raise
        finally:
            await _cut(keeping)
            await _cut(working)


class _Run(Generic[T]):
    """One operation under one lease."""

    def __init__(self, runner: Runner[T], operation: Operation, lease: Lease) -> None:
        self._database = runner._database  # noqa: SLF001 - a part of the runner, apart for its state
        self._tools = runner._tools  # noqa: SLF001 - likewise
        self._clock = runner._clock  # noqa: SLF001 - likewise
        self._program = runner._programs[operation.kind]  # noqa: SLF001 - likewise
        self._operation = operation
        self._turn = Turn(operation, lease)
        self._lease = lease
        self._step = self._program.resume_at(operation)
        self._steps: tuple[StepRecord, ...] = operation.steps
        self._attempts = operation.attempts
        self._log = log.bind(operation=operation.id, kind=operation.kind.value, substrate=operation.substrate)

    async def to_a_pause(self) -> None:
        """Run steps until one pauses for long or the operation ends; stop silently when that cannot be written."""
        try:
            await self._begin(self._step, attempts=self._attempts if self._step == self._operation.step else 0)
            while await self._carry_out(await self._next_move()):
                pass
        except LeaseLost:
            self._log.info("another goes on with it", step=self._step)
        except REGISTRY_AWAY as error:
            self._log.warning("registry does not answer", step=self._step, error=type(error).__name__)
        except Exception as bug:  # noqa: BLE001 - the lease runs out and another worker tries; the log must say why
            self._log.error("operation could not be written", step=self._step, exc_info=bug)

    async def _next_move(self) -> Move:
        """Run the step, unless the deadline has passed, and decide what follows."""
        deadline = self._operation.deadline_at
        if self._clock.now() >= deadline:
            words = self._program.words_for(self._step)
            waited_for = self._steps[-1].waiting_for if self._steps else None
            return Fail(moves.overdue(words, deadline, waited_for))
        try:
            async with asyncio.timeout(self._patience()):
                answer = await self._program.steps[self._step](self._turn, self._tools)
        except LeaseLost:
            raise
        except Exception as trouble:  # noqa: BLE001 - whatever a step meets, the operation must not be stuck
            self._report(trouble)
            now = self._clock.now()
            return moves.after_trouble(trouble, attempts=self._attempts, now=now, deadline=deadline)
        return moves.after_answer(answer, attempts=self._attempts, now=self._clock.now(), deadline=deadline)

    def _patience(self) -> float:
        longer = self._program.patience.get(self._step)
        return STEP_LIMIT if longer is None else longer.total_seconds()

    async def _carry_out(self, move: Move) -> bool:
        """Write the move down; whether to go on at once."""
        match move:
            case Proceed(step):
                await self._begin(step, attempts=0)
                return True
            case Pause():
                return await self._pause(move)
            case Succeed():
                await self._end(Event.DONE, moves.ended(self._steps, self._clock.now()), None)
                return False
            case Fail(failure):
                await self._end(Event.GAVE_UP, self._steps, failure)
                return False
            case _:
                assert_never(move)

    async def _begin(self, step: str, *, attempts: int) -> None:
        self._step, self._attempts = step, attempts
        await self._note(moves.begun(self._steps, step, self._clock.now()))

    async def _pause(self, pause: Pause) -> bool:
        steps = moves.waiting(self._steps, pause.reason)
        if steps != self._steps or pause.attempts != self._attempts:
            self._attempts = pause.attempts
            await self._note(steps)
        if pause.held:
            await self._clock.sleep(pause.until - self._clock.now())
            return True
        async with self._database.transaction() as tx:
            await operations.update_paused(tx, self._lease, pause.until)
        return False

    async def _note(self, steps: tuple[StepRecord, ...]) -> None:
        self._steps = steps
        async with self._database.transaction() as tx:
            await operations.update_progress(tx, self._lease, step=self._step, steps=steps, attempts=self._attempts)

    async def _end(self, event: Event, steps: tuple[StepRecord, ...], failure: Failure | None) -> None:
        """End the operation and, in the same transaction, do what its failure means for the substrate."""
        status = after(Status.RUNNING, event)
        async with self._database.transaction() as tx:
            await operations.update_ended(tx, self._lease, status, self._clock.now(), steps=steps, error=failure)
            if failure is not None:
                await self._program.on_give_up(tx, self._operation, failure, self._tools)
        if failure is None:
            self._log.info("operation succeeded")
        else:
            # The alert: an operator's rule watches for this line.
            self._log.error("operation failed", step=self._step, code=failure.code, detail=failure.detail)

    def _report(self, trouble: Exception) -> None:
        match trouble:
            case TryAgain(reason=reason):
                self._log.info("step is tried again", step=self._step, attempts=self._attempts, reason=reason)
            case GiveUp(facts=facts):
                self._log.warning("step gives up", step=self._step, code=trouble.code, facts=facts)
            case _:
                self._log.warning("step met trouble", step=self._step, attempts=self._attempts, exc_info=trouble)


async def _cut(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has really ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
