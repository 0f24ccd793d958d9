"""Which actions each mode allows: the one table of gate, API, page, documents and tests."""

from enum import StrEnum
from typing import Final

from shared.contracts.policy import Mode, Scope


class Action(StrEnum):
    """What a key can be used for, as the table of modes and the scopes group it."""

    READ = "read"
    """search, get, list, prove, bootstrap"""
    WRITE = "write"
    """save, forget"""
    ERASE = "erase"
    EXPORT = "export"


ALLOWED: Final[dict[Mode, frozenset[Action]]] = {
    Mode.RUNNING: frozenset({Action.READ, Action.WRITE, Action.ERASE, Action.EXPORT}),
    Mode.READ_ONLY: frozenset({Action.READ, Action.ERASE, Action.EXPORT}),
    Mode.SUSPENDED: frozenset({Action.ERASE, Action.EXPORT}),
    Mode.DELETING: frozenset(),
}

SCOPE_FOR: Final[dict[Action, Scope]] = {
    Action.READ: Scope.READ,
    Action.WRITE: Scope.WRITE,
    Action.ERASE: Scope.ERASE,
    Action.EXPORT: Scope.EXPORT,
}


def allows(mode: Mode, action: Action) -> bool:
    """Whether a substrate in this mode carries out such an action."""
    return action in ALLOWED[mode]
