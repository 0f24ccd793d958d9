"""A worker that is set up wrong says so before it does anything."""

from pathlib import Path

import pytest

from provisioner.runtime_choice import WorkerSettingMissing, runtime_of
from provisioner.runtimes.process_runtime import ProcessRuntime, RuntimeNotForProduction
from provisioner.settings import ProvisionerSettings
from shared.kernel.settings import SettingMissing, UnknownSetting


def settings(**given: object) -> ProvisionerSettings:
    return ProvisionerSettings.load(state_dir="/state", **given)


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in ProvisionerSettings.model_fields.items() if not field.description] == []


def test_a_misspelt_setting_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISIONER_REGISTRY_ULR", "postgresql://")

    with pytest.raises(UnknownSetting) as caught:
        settings()

    assert "PROVISIONER_REGISTRY_URL" in caught.value.detail


def test_the_state_folder_must_be_named() -> None:
    with pytest.raises(SettingMissing):
        ProvisionerSettings.load()


def test_addresses_with_passwords_are_not_shown() -> None:
    assert "hunter2" not in repr(settings(registry_url="postgresql://loam:hunter2@/x", broker_url="redis://:hunter2@x"))


def test_containers_need_an_image() -> None:
    with pytest.raises(WorkerSettingMissing) as caught:
        runtime_of(settings(runtime="docker"))

    assert "PROVISIONER_TENANT_IMAGE" in caught.value.detail


def test_processes_need_an_interpreter() -> None:
    with pytest.raises(WorkerSettingMissing):
        runtime_of(settings(runtime="process"))


def test_processes_are_refused_in_production() -> None:
    with pytest.raises(RuntimeNotForProduction):
        runtime_of(settings(runtime="process", tenant_python=Path("/python"), environment="production"))


def test_processes_are_what_is_run_when_asked_for() -> None:
    assert isinstance(runtime_of(settings(runtime="process", tenant_python=Path("/python"))), ProcessRuntime)


def test_a_group_left_empty_is_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISIONER_GATEWAY_GROUP", "")

    assert settings().gateway_group is None
