"""Waiting for a condition: tests never sleep for a guessed time."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

STEP_SECONDS: Final = 0.02


def until(condition: Callable[[], T], *, what: str = "the condition", seconds: float = 10.0) -> T:
    """The condition's first true answer.

    Raises:
        AssertionError: it was not true in time; `what` says what was waited for.
    """
    ends = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > ends:
            raise AssertionError(f"waited {seconds:g} s for {what}; last answer: {answer!r}")
        time.sleep(STEP_SECONDS)
