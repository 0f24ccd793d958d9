"""Settings that refuse what they do not know.

pydantic-settings ignores a misspelt environment variable, even with `extra="forbid"`; a setting that silently does
nothing is worse than a program that does not start.
"""

from typing import Any, Self

from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kernel.setting_names import UnknownSetting, refuse_unknown

__all__ = ["Settings", "UnknownSetting"]


class Settings(BaseSettings):
    """Base of every program's settings: frozen, documented, strict about names."""

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Settings from the environment, with `given` winning.

        Raises:
            UnknownSetting: a variable with this program's prefix names no setting.
        """
        refuse_unknown(str(cls.model_config.get("env_prefix", "")).upper(), cls.model_fields)
        return cls(**given)
