"""Settings that refuse what they do not know.

pydantic-settings ignores a misspelt environment variable, even with `extra="forbid"`; a setting that silently does
nothing is worse than a program that does not start.
"""

import difflib
import os
from typing import Any, Self

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kernel.errors import AppError


class UnknownSetting(AppError):
    """An environment variable carries the program's prefix but names no setting."""

    code = "unknown_setting"
    status = 500
    public = "There is no setting {name}. {hint}"
    next_action = "Correct or remove the variable, then start again."


class Settings(BaseSettings):
    """Base of every program's settings: frozen, documented, strict about names."""

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Settings from the environment, with `given` winning.

        Raises:
            UnknownSetting: a variable with this program's prefix names no setting.
        """
        prefix = str(cls.model_config.get("env_prefix", "")).upper()
        known = {f"{prefix}{name.upper()}" for name in cls.model_fields}
        for name in sorted(os.environ):
            if prefix and name.upper().startswith(prefix) and name.upper() not in known:
                close = difflib.get_close_matches(name.upper(), known, n=1)
                hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(sorted(known))}."
                raise UnknownSetting(shown={"name": name, "hint": hint})
        return cls(**given)
