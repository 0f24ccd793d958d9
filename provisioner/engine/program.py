"""What a program is: one life event as an ordered set of named steps, and what to do when it is given up.

Names, order and deadline come from `shared.contracts.operations.COURSES`, which the API shows to people; a program
that carries out other steps than those is refused when it is made.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from provisioner.engine.outcome import Outcome
from shared.contracts.operations import COURSES, Course, Kind
from shared.registry.database import Tx
from shared.registry.operations import Failure, Lease, Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """A worker's turn at an operation: what it is about, and the lease that every write repeats."""

    operation: Operation
    lease: Lease


Step = Callable[[Turn, T], Awaitable[Outcome]]

OnGiveUp = Callable[[Tx, Operation, Failure, T], Awaitable[None]]
"""Runs in the transaction that ends the operation as failed."""


async def leave_as_it_is(_tx: Tx, _operation: Operation, _failure: Failure, _tools: object) -> None:
    """For programs whose failure changes nothing but the operation: somebody retries it."""


@dataclass(frozen=True, slots=True)
class Program(Generic[T]):
    """One kind of operation, carried out."""

    kind: Kind
    steps: Mapping[str, Step[T]]
    on_give_up: OnGiveUp[T]
    patience: Mapping[str, timedelta] = field(default_factory=dict)
    """Steps that may take longer than the runner otherwise allows: they move much data."""

    def __post_init__(self) -> None:
        """Refuse steps that differ from those that people are shown."""
        promised = tuple(name for name, _ in self.course.steps)
        if tuple(self.steps) != promised:
            raise ValueError(f"{self.kind} promises the steps {promised} and carries out {tuple(self.steps)}")

    @property
    def course(self) -> Course:
        """What people are told about this kind."""
        return COURSES[self.kind]

    @property
    def first(self) -> str:
        """Where it begins."""
        return self.course.steps[0][0]

    def resume_at(self, operation: Operation) -> str:
        """The step an operation stands at; a name from an older version of the program begins again."""
        return operation.step if operation.step is not None and operation.step in self.steps else self.first

    def words_for(self, step: str) -> str:
        """The step as people read it."""
        return dict(self.course.steps)[step]
