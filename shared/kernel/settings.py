"""Settings that refuse what they do not know, in words that a person can act on.

pydantic-settings ignores a misspelt environment variable, even with `extra="forbid"`; a setting that silently does
nothing is worse than a program that does not start. A wrong value is told with its name and what it must be, and a
secret one is never repeated.
"""

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_args

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.kernel.errors import AppError
from shared.kernel.setting_names import SettingMissing, UnknownSetting, refuse_unknown

__all__ = ["Domain", "Port", "SettingMissing", "SettingWrong", "Settings", "UnknownSetting"]

LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN: Final = re.compile(rf"(?:{LABEL}\.)*(?![0-9]+$){LABEL}")
DOMAIN_LENGTH_MOST: Final = 240
"""Room for a tenant's label before it: a host name has at most 253 characters."""

SHOWN_MOST: Final = 80
"""Characters of a wrong value that are repeated."""

FORMS: Final[dict[type, str]] = {
    bool: "true or false",
    int: "a whole number",
    Path: "a path",
    timedelta: "a duration such as 10 (seconds) or PT1M",
}


def _domain(value: str) -> str:
    if len(value) > DOMAIN_LENGTH_MOST or not DOMAIN.fullmatch(value):
        raise ValueError("a domain name in small letters, such as memory.example.org")
    return value


Domain = Annotated[str, AfterValidator(_domain)]
"""A domain under which tenants have host names."""

Port = Annotated[int, Field(ge=1, le=65535, title="port")]
"""A TCP port."""


class SettingWrong(AppError):
    """A setting has a value that it cannot have."""

    code = "setting_wrong"
    status = 500
    public = "{problem}"
    next_action = "Correct the environment variable, then start again."


class Settings(BaseSettings):
    """Base of every program's settings: frozen, documented, strict about names.

    A validator's `ValueError` says what the value must be: its text follows “it must be”.
    """

    model_config = SettingsConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    @classmethod
    def load(cls, **given: Any) -> Self:
        """Settings from the environment, with `given` winning.

        Raises:
            UnknownSetting: a variable with this program's prefix names no setting.
            SettingMissing: one that has no default was not given.
            SettingWrong: a value is none that its setting can have.
        """
        prefix = str(cls.model_config.get("env_prefix", "")).upper()
        refuse_unknown(prefix, cls.model_fields)
        try:
            return cls(**given)
        except ValidationError as error:
            # The first is enough: whoever corrects it is told the next. Its cause holds values, so it is cut off.
            raise cls._refusal(prefix, error.errors(include_url=False)[0]) from None

    @classmethod
    def _refusal(cls, prefix: str, error: ErrorDetails) -> AppError:
        field = str(error["loc"][0])
        name = f"{prefix}{field.removeprefix(prefix.lower()).upper()}"
        if error["type"] == "missing":
            return SettingMissing(shown={"name": name})
        info = cls.model_fields[field.removeprefix(prefix.lower())]
        value = "wrong" if _is_secret(info) else f"“{str(error['input'])[:SHOWN_MOST]}”"
        return SettingWrong(shown={"problem": f"{name} is {value}; it must be {_wanted(info, error)}."})


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in _types(field)


def _types(field: FieldInfo) -> tuple[Any, ...]:
    return (field.annotation, *get_args(field.annotation))


def _wanted(field: FieldInfo, error: ErrorDetails) -> str:
    """What the value must be, so that it ends the sentence."""
    if error["type"] == "value_error":
        return str(error.get("ctx", {}).get("error"))
    limits = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    if field.title == "port":
        return "a port from {ge} to {le}".format(**limits)
    for kind in _types(field):
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return f"one of {', '.join(kind)}"
        if kind in FORMS:
            return FORMS[kind] + (f" from {limits['ge']} on" if "ge" in limits else "")
    return str(error["msg"])
