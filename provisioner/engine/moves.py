"""What follows from a step's answer: pure decisions, so that the runner only carries them out."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome, TryAgain, Wait
from shared.kernel.clock import iso
from shared.registry.operations import Failure, StepRecord

FIRST_PAUSE: Final = timedelta(milliseconds=250)
LONGEST_PAUSE: Final = timedelta(seconds=15)

HELD_PAUSE: Final = timedelta(seconds=1)
"""Up to here a worker keeps the lease and waits; the sweep, which looks once a second, would only be slower."""


@dataclass(frozen=True, slots=True)
class Proceed:
    """Run this step now."""

    step: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Run the same step again at `until`."""

    until: datetime
    held: bool
    """Whether the worker keeps the lease meanwhile."""
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True)
class Succeed:
    """End the operation well."""


@dataclass(frozen=True, slots=True)
class Fail:
    """End the operation with a failure that has a name."""

    failure: Failure


Move = Proceed | Pause | Succeed | Fail


def after_answer(answer: Outcome, *, attempts: int, now: datetime, deadline: datetime) -> Move:
    """What follows when a step has answered."""
    match answer:
        case GoTo(step):
            return Proceed(step)
        case Wait(after, reason):
            return _pause(after, attempts=attempts, reason=reason, now=now, deadline=deadline)
        case Done():
            return Succeed()
        case _:
            assert_never(answer)


def after_trouble(trouble: Exception, *, attempts: int, now: datetime, deadline: datetime) -> Move:
    """What follows when a step has raised. An exception nobody named is tried again too: most troubles pass."""
    match trouble:
        case GiveUp():
            return Fail(Failure(code=trouble.code, detail=trouble.public, next_action=trouble.next_action))
        case TryAgain(reason=reason, after=after):
            pause = after if after is not None else backoff(attempts)
            return _pause(pause, attempts=attempts + 1, reason=reason, now=now, deadline=deadline)
        case _:
            reason = "something went wrong on our side; it is tried again"
            return _pause(backoff(attempts), attempts=attempts + 1, reason=reason, now=now, deadline=deadline)


def backoff(attempts: int) -> timedelta:
    """The pause after so many failed tries of one step: doubling, bounded."""
    return min(FIRST_PAUSE * (1 << min(attempts, 16)), LONGEST_PAUSE)


def overdue(words: str, deadline: datetime, waiting_for: str | None) -> Failure:
    """The failure of an operation whose deadline has passed at a step."""
    because = f": {waiting_for}" if waiting_for else ""
    return Failure(
        code="deadline_passed",
        detail=f"“{words}” was not finished by {iso(deadline)}{because}.",
        next_action="Retry it. If it fails again, tell support the operation's id.",
    )


def begun(steps: tuple[StepRecord, ...], name: str, now: datetime) -> tuple[StepRecord, ...]:
    """The records when a step begins: the one before it has ended; a step gone back to is open again.

    A step that is resumed stays as it is, with what it waits for.
    """
    if steps and steps[-1].name == name and steps[-1].finished_at is None:
        return steps
    kept = tuple(_ended(step, now) for step in steps if step.name != name)
    again = next((step.started_at for step in steps if step.name == name), now)
    return (*kept, StepRecord(name=name, started_at=again))


def waiting(steps: tuple[StepRecord, ...], reason: str) -> tuple[StepRecord, ...]:
    """The records while the newest step waits."""
    if not steps:
        return steps
    *earlier, last = steps
    return (*earlier, StepRecord(name=last.name, started_at=last.started_at, waiting_for=reason))


def ended(steps: tuple[StepRecord, ...], now: datetime) -> tuple[StepRecord, ...]:
    """The records when the operation has succeeded."""
    return tuple(_ended(step, now) for step in steps)


def _ended(step: StepRecord, now: datetime) -> StepRecord:
    return StepRecord(name=step.name, started_at=step.started_at, finished_at=step.finished_at or now)


def _pause(after: timedelta, *, attempts: int, reason: str, now: datetime, deadline: datetime) -> Pause:
    # Never past the deadline: that is when the operation must fail, whatever it waits for.
    until = min(now + after, max(deadline, now))
    return Pause(until=until, held=until - now <= HELD_PAUSE, attempts=attempts, reason=reason)
