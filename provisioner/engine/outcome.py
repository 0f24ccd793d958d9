"""What a step answers, and what it raises when it cannot answer.

Three frozen answers, so that the type checker refuses a step that forgets one. Two exceptions with a meaning; every
other exception is taken for a passing trouble and tried again until the operation's deadline.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class GoTo:
    """Carry on with this step at once."""

    step: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Run the same step again after a pause. Waiting is no failure: nothing is counted."""

    after: timedelta
    reason: str
    """What is waited for, in words that the substrate's owner may read."""


@dataclass(frozen=True, slots=True)
class Done:
    """The operation has succeeded."""


Outcome = GoTo | Wait | Done


class TryAgain(Exception):
    """Something is in the way that may pass. The text says what, in words that the substrate's owner may read."""

    def __init__(self, reason: str, *, after: timedelta | None = None) -> None:
        """`after` overrules the growing pause between tries."""
        super().__init__(reason)
        self.reason = reason
        self.after = after


class GiveUp(Exception):
    """Trying again cannot help. Each condition is a class with a code that never changes."""

    code: ClassVar[str]
    public: ClassVar[str]
    """One sentence for the substrate's owner."""
    next_action: ClassVar[str | None] = None

    def __init__(self, **facts: Any) -> None:
        """Facts go to the log only."""
        super().__init__(self.code)
        self.facts = facts
