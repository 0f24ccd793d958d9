"""How tenants run on a machine is chosen by what the machine has, and said."""

import os
import subprocess

import docker.errors
import pytest

from deploy.local import docker_engine, stack, tenant_programs
from deploy.local.settings import RuntimeChoice
from deploy.local.trouble import Trouble

NOBODY = 65534


def quietly(_):
    """Nobody listens."""


@pytest.fixture
def no_building(monkeypatch):
    monkeypatch.setattr(tenant_programs, "ensure", lambda _: "/the/interpreter")


@pytest.mark.parametrize(
    "trouble",
    [Trouble("There is no Docker engine.", fix="Install one."), docker.errors.DockerException("it cannot import")],
    ids=["no engine", "an engine that cannot work"],
)
def test_without_a_working_engine_tenants_run_as_processes_and_that_is_said(
    monkeypatch, settings, no_building, trouble
):
    def fails():
        raise trouble

    monkeypatch.setattr(docker_engine, "ensure", fails)

    tenancy, notice = stack.choose_tenancy(settings, quietly)

    assert tenancy.runtime == "process"
    assert "isolated little" in (notice or "")


def test_containers_that_were_asked_for_are_never_replaced_by_processes(monkeypatch, settings, no_building):
    def fails():
        raise Trouble("There is no Docker engine.", fix="Install one.")

    monkeypatch.setattr(docker_engine, "ensure", fails)

    with pytest.raises(Trouble, match="Install one"):
        stack.choose_tenancy(settings.model_copy(update={"runtime": RuntimeChoice.DOCKER}), quietly)


@pytest.mark.containers
def test_with_an_engine_tenants_run_in_containers_of_the_current_image(settings, tenant_image):
    tenancy, notice = stack.choose_tenancy(settings, quietly)

    assert (tenancy.runtime, tenancy.image, notice) == ("docker", tenant_image, None)


def test_a_tenant_that_runs_as_a_process_can_read_its_server_though_loam_lies_in_a_closed_home(settings):
    stack.prepare(settings)
    python = tenant_programs.ensure(settings)
    code = "import litestar, shared.contracts.policy as policy; print(policy.__cached__)"
    who = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    done = subprocess.run([python, "-OO", "-c", code], cwd="/", capture_output=True, text=True, check=False, **who)

    assert done.stdout.strip().startswith(str(settings.programs)), done.stderr
    assert "opt-2" in done.stdout
