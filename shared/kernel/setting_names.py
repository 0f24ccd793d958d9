"""Refusing environment variables that look like a setting but are none.

Apart from `shared.kernel.settings`, so that a program which must stay small can have the rule without pydantic.
"""

import difflib
import os
from collections.abc import Iterable

from shared.kernel.errors import AppError


class UnknownSetting(AppError):
    """An environment variable carries the program's prefix but names no setting."""

    code = "unknown_setting"
    status = 500
    public = "There is no setting {name}. {hint}"
    next_action = "Correct or remove the variable, then start again."


class SettingMissing(AppError):
    """A setting that has no default was not given."""

    code = "setting_missing"
    status = 500
    public = "The setting {name} is missing."
    next_action = "Set the environment variable, then start again."


def refuse_unknown(prefix: str, fields: Iterable[str]) -> None:
    """Check the environment's names against a program's settings.

    Raises:
        UnknownSetting: a variable with this program's prefix names no setting.
    """
    known = {f"{prefix}{name.upper()}" for name in fields}
    for name in sorted(os.environ):
        if prefix and name.upper().startswith(prefix) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(sorted(known))}."
            raise UnknownSetting(shown={"name": name, "hint": hint})
