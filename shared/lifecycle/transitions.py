"""Looking up what follows: the one function behind every table of states."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from shared.kernel.errors import AppError

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class TransitionRefused(AppError):
    """The thing is not in a state in which this can happen to it."""

    code = "not_in_this_state"
    status = 409
    public = "This {machine} is {state}; that does not allow “{event}”."
    next_action = "Look at its current state, then decide again."


def follow(machine: str, table: Mapping[S, Mapping[E, S]], state: S, event: E) -> S:
    """The state that `event` leads to.

    Raises:
        TransitionRefused: the table has no such row.
    """
    try:
        return table[state][event]
    except KeyError:
        words = {"machine": machine, "state": state.value, "event": event.value.replace("_", " ")}
        raise TransitionRefused(shown=words) from None
