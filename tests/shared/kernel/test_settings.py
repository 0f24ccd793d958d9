from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from shared.kernel.settings import Domain, Port, SettingMissing, Settings, SettingWrong, UnknownSetting


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class ExampleSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    url: str
    """Where."""

    most: int = 3
    """How many."""

    least: int = Field(default=1, ge=1)
    """How few."""

    port: Port = 1
    """Which door."""

    domain: Domain = "example.org"
    """Whose."""

    color: Color = Color.RED
    """How it looks."""

    loud: bool = False
    """Whether it shouts."""

    pause: timedelta = timedelta(seconds=1)
    """How long."""

    password: SecretStr | None = Field(default=None, min_length=4)
    """What nobody else may know."""

    folder: Path | None = None
    """In which drawer."""


def test_a_misspelt_name_stops_the_start_and_is_corrected(monkeypatch):
    monkeypatch.setenv("EXAMPLE_URL", "u")
    monkeypatch.setenv("EXAMPLE_MOSTT", "4")

    with pytest.raises(UnknownSetting) as refused:
        ExampleSettings.load()

    assert "Did you mean EXAMPLE_MOST?" in refused.value.detail


def test_a_missing_one_stops_the_start(monkeypatch):
    monkeypatch.delenv("EXAMPLE_URL", raising=False)

    with pytest.raises(SettingMissing, match="setting_missing") as refused:
        ExampleSettings.load()

    assert "EXAMPLE_URL" in refused.value.detail


def test_settings_do_not_change_after_the_start(monkeypatch):
    monkeypatch.setenv("EXAMPLE_URL", "u")

    with pytest.raises(ValidationError):
        ExampleSettings.load().most = 5


def test_the_string_under_a_field_is_its_description():
    assert ExampleSettings.model_fields["most"].description == "How many."


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("most", "abc", "a whole number"),
        ("least", "0", "a whole number from 1 on"),
        ("port", "abc", "a port from 1 to 65535"),
        ("port", "70000", "a port from 1 to 65535"),
        ("color", "green", "one of red, blue"),
        ("loud", "maybe", "true or false"),
        ("pause", "a while", "a duration such as 10 (seconds) or PT1M"),
        ("domain", "bad domain", "a domain name in small letters, such as memory.example.org"),
        ("domain", "-a.org", "a domain name in small letters, such as memory.example.org"),
        ("domain", "127.0.0.1", "a domain name in small letters, such as memory.example.org"),
    ],
)
def test_a_wrong_value_is_told_with_its_name_and_what_it_must_be(monkeypatch, name, value, wanted):
    monkeypatch.setenv("EXAMPLE_URL", "u")
    monkeypatch.setenv(f"EXAMPLE_{name.upper()}", value)

    with pytest.raises(SettingWrong) as refused:
        ExampleSettings.load()

    assert refused.value.detail == f"EXAMPLE_{name.upper()} is “{value}”; it must be {wanted}."
    assert refused.value.next_step


def test_a_wrong_secret_is_never_repeated(monkeypatch):
    monkeypatch.setenv("EXAMPLE_URL", "u")
    monkeypatch.setenv("EXAMPLE_PASSWORD", "pst")

    with pytest.raises(SettingWrong) as refused:
        ExampleSettings.load()

    assert "pst" not in refused.value.detail
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__
