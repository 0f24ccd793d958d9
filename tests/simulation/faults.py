"""What may go wrong at a call, drawn from the seed."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

BEGIN: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


class WorkerDied(BaseException):
    """The worker was killed: nothing of it runs any more, least of all an exception's handler."""


class Fate(Enum):
    """What happens at one call."""

    WELL = auto()
    SLOW = auto()
    BREAKS_BEFORE = auto()
    """Nothing was done."""
    BREAKS_AFTER = auto()
    """All was done and nobody heard. For a transaction: committed."""
    HALF = auto()
    """For a transaction: all was said, nothing was committed. Elsewhere as `BREAKS_BEFORE`."""
    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()
    LATE = auto()
    """The worker is killed, and the engine does what it was asked long afterwards."""
    PAUSED = auto()
    """The whole worker stands still, here, between asking and doing."""


TROUBLES: Final = (
    Fate.SLOW,
    Fate.BREAKS_BEFORE,
    Fate.BREAKS_AFTER,
    Fate.HALF,
    Fate.KILLED_BEFORE,
    Fate.KILLED_AFTER,
    Fate.LATE,
    Fate.PAUSED,
)


@dataclass(slots=True)
class Faults:
    """Draws fates until the trouble is over, and keeps the trace of what happened."""

    chance: random.Random
    rate: float
    """How likely a call meets trouble."""
    over: bool = False
    """From now on all goes well: what is left must come right by itself."""
    trace: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """The loop's time, for the trace."""

    def draw(self) -> Fate:
        """The fate of the next call."""
        if self.over or self.chance.random() >= self.rate:
            return Fate.WELL
        return self.chance.choice(TROUBLES)

    def latency(self, *, slow: bool) -> float:
        """Seconds that a call takes: slow ones outlast leases, and some outlast a step's limit."""
        return self.chance.uniform(1, 70) if slow else self.chance.uniform(0.001, 0.4)

    def pause(self) -> float:
        """Seconds that a worker stands still."""
        return self.chance.uniform(5, 40)

    def note(self, who: str, what: str) -> None:
        """One line of the trace."""
        self.trace.append(f"{self.seconds:9.3f}  {who:<12} {what}")


def moment(seconds: float) -> datetime:
    """The simulated time of day at a moment of the loop."""
    return BEGIN + timedelta(seconds=seconds)
