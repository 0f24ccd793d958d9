"""A program that cannot start says why in one line, and ends with the code that means: look at its settings."""

from typing import Final

from shared.kernel import logs
from shared.kernel.errors import AppError

WRONG_SETTINGS: Final = 78
"""EX_CONFIG of sysexits.h."""


def refused(program: str, error: AppError) -> int:
    """Log why the program cannot start; the code with which it should end."""
    logs.configure(program)
    logs.logger(__name__).error("cannot start", code=error.code, detail=error.detail, next_action=error.next_step)
    return WRONG_SETTINGS
