"""Rules about the code that no linter knows."""

import importlib
import inspect
import pkgutil
from collections import Counter
from types import ModuleType
from typing import Final

import pytest

import control_plane
import data_plane
import deploy
import provisioner
import shared
from deploy.generate import PROGRAMS
from shared.contracts.operations import COURSES, Kind
from shared.kernel.errors import AppError

PROGRAM_PACKAGES: Final = (control_plane, data_plane, deploy, provisioner, shared)


def modules(package: ModuleType) -> list[ModuleType]:
    names = [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [importlib.import_module(name) for name in names if not name.endswith("__main__")]


def errors() -> list[type[AppError]]:
    found = {
        value
        for package in PROGRAM_PACKAGES
        for module in modules(package)
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, AppError) and "code" in vars(value)
    }
    return sorted(found, key=lambda error: (error.__module__, error.__name__))


def test_a_code_means_one_condition():
    doubled = [code for code, count in Counter(error.code for error in errors()).items() if count > 1]

    assert not doubled


@pytest.mark.parametrize("error", errors(), ids=lambda error: error.code)
def test_every_error_says_what_is_wrong_and_what_to_do(error):
    assert error.__doc__
    assert error.public.endswith((".", "}"))
    assert 400 <= error.status <= 599
    assert error.next_action, f"{error.__name__} does not say what to do next"


@pytest.mark.parametrize("settings", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_every_setting_is_explained(settings):
    unexplained = [name for name, field in settings.model_fields.items() if not field.description]

    assert not unexplained


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_operation_has_a_course(kind):
    assert COURSES[kind].steps
