import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from shared.kernel.settings import Settings, UnknownSetting


class ExampleSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    url: str
    """Where."""

    most: int = 3
    """How many."""


def test_a_misspelt_name_stops_the_start_and_is_corrected(monkeypatch):
    monkeypatch.setenv("EXAMPLE_URL", "u")
    monkeypatch.setenv("EXAMPLE_MOSTT", "4")

    with pytest.raises(UnknownSetting) as refused:
        ExampleSettings.load()

    assert "Did you mean EXAMPLE_MOST?" in refused.value.detail


def test_a_missing_one_stops_the_start(monkeypatch):
    monkeypatch.delenv("EXAMPLE_URL", raising=False)

    with pytest.raises(ValidationError):
        ExampleSettings.load()


def test_settings_do_not_change_after_the_start(monkeypatch):
    monkeypatch.setenv("EXAMPLE_URL", "u")

    with pytest.raises(ValidationError):
        ExampleSettings.load().most = 5


def test_the_string_under_a_field_is_its_description():
    assert ExampleSettings.model_fields["most"].description == "How many."
