"""The doctor: every trouble comes with its remedy, in words and for scripts."""

import json
import shutil
import socket
from collections import namedtuple

import pytest
from click.testing import CliRunner

from control_plane.cli.stack import stack
from deploy.local import docker_engine, doctor, names
from deploy.local.settings import RuntimeChoice
from deploy.local.supervisor import Supervisor

BAD, WARNING, GOOD = doctor.Verdict.BAD, doctor.Verdict.WARNING, doctor.Verdict.GOOD
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil returns it


def no_engine(monkeypatch):
    monkeypatch.setattr(docker_engine, "find", lambda: None)


def no_names(monkeypatch):
    monkeypatch.setattr(names, "resolves", lambda _: False)


def no_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1, 1, 1))


def old_python(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 2))


@pytest.mark.parametrize(
    ("trouble", "check", "verdict"),
    [
        (no_engine, doctor.engine, WARNING),
        (no_names, doctor.name_resolution, BAD),
        (no_disk, doctor.disk, BAD),
        (old_python, doctor.python, BAD),
    ],
)
def test_what_is_wrong_is_found_and_comes_with_its_remedy(monkeypatch, settings, trouble, check, verdict):
    trouble(monkeypatch)

    found = check(settings)

    assert found.verdict is verdict
    assert found.fix


def test_a_missing_engine_is_bad_where_containers_were_asked_for(monkeypatch, settings):
    no_engine(monkeypatch)

    found = doctor.engine(settings.model_copy(update={"runtime": RuntimeChoice.DOCKER}))

    assert found.verdict is BAD


def test_a_taken_port_is_found(settings):
    with socket.create_server(("127.0.0.1", settings.http_port)):
        found = doctor.listening(settings)

    assert found.verdict is BAD
    assert "LOAM_HTTP_PORT" in (found.fix or "")


@pytest.mark.parametrize("check", [doctor.services, doctor.authority, doctor.api])
def test_a_machine_that_was_never_started_is_no_fault(settings, check):
    assert check(settings).verdict is WARNING


def test_before_the_first_start_the_remedy_is_named_once(settings):
    fixes = [check(settings).fix for check in (doctor.services, doctor.authority, doctor.api)]

    assert fixes == ["Run `make up`.", None, None]


def test_a_program_that_cannot_start_is_shown_with_its_last_error(settings, monkeypatch):
    settings.run.mkdir(parents=True)
    settings.logs.mkdir()
    (settings.run / "supervisord.conf").touch()
    (settings.logs / "worker.log").write_text('{"level":"error","event":"cannot start","detail":"X is missing."}\n')
    monkeypatch.setattr(Supervisor, "is_running", lambda _: True)
    monkeypatch.setattr(Supervisor, "state_of", lambda _, name: "FATAL" if name == "worker" else "RUNNING")

    assert "worker (fatal: cannot start: X is missing.)" in doctor.services(settings).found


def test_a_state_folder_that_is_too_deep_is_found(settings, state_dir):
    found = doctor.socket_paths(settings.model_copy(update={"state_dir": state_dir / ("x" * 90)}))

    assert found.verdict is BAD


def test_scripts_get_every_check_and_a_failure(monkeypatch, state_dir):
    no_names(monkeypatch)
    monkeypatch.setenv("LOAM_STATE_DIR", str(state_dir))

    done = CliRunner().invoke(stack, ["doctor", "--json"])

    checks = json.loads(done.stdout)["checks"]
    assert len(checks) == len(doctor.CHECKS)
    assert {"name", "verdict", "found", "fix"} == set(checks[0])
    assert done.exit_code == 1


def test_info_has_the_names_that_scripts_rely_on(monkeypatch, state_dir):
    monkeypatch.setenv("LOAM_STATE_DIR", str(state_dir))

    done = CliRunner().invoke(stack, ["info", "--json"])

    assert set(json.loads(done.stdout)) >= {
        "api_url", "dashboard_url", "domain", "ca_file", "ca_bundle", "state_dir", "runtime", "staff_token_file",
    }  # fmt: skip


def test_reset_asks_first(monkeypatch, state_dir):
    monkeypatch.setenv("LOAM_STATE_DIR", str(state_dir))
    (state_dir / "secrets").mkdir()

    done = CliRunner().invoke(stack, ["reset"], input="n\n")

    assert done.exit_code != 0
    assert (state_dir / "secrets").is_dir()


def test_a_misspelt_setting_is_two_sentences_and_no_traceback(monkeypatch):
    monkeypatch.setenv("LOAM_STATE_DIRR", "/tmp/x")

    done = CliRunner().invoke(stack, ["info"])

    assert done.exit_code == 1
    assert "LOAM_STATE_DIR" in done.stderr
    assert "Traceback" not in done.output


def test_people_are_shown_what_exists_only_and_whether_it_runs(monkeypatch, state_dir):
    monkeypatch.setenv("LOAM_STATE_DIR", str(state_dir))

    done = CliRunner().invoke(stack, ["info"])

    assert "runs              no" in done.stdout
    assert "dashboard" not in done.stdout
    assert "staff_token" not in done.stdout


@pytest.mark.parametrize("words", [["down"], ["reset", "--yes"]])
def test_stopping_what_is_not_there_says_so(monkeypatch, state_dir, words):
    monkeypatch.setenv("LOAM_STATE_DIR", str(state_dir / "absent"))
    no_engine(monkeypatch)

    done = CliRunner().invoke(stack, words)

    assert done.exit_code == 0
    assert "Nothing to" in done.stdout


def test_the_log_of_a_program_is_shown_from_its_end(monkeypatch, settings):
    monkeypatch.setenv("LOAM_STATE_DIR", str(settings.root))
    no_engine(monkeypatch)
    settings.logs.mkdir()
    (settings.logs / "worker.log").write_text("one\ntwo\nthree\n")

    shown = CliRunner().invoke(stack, ["logs", "worker", "-n", "2"])
    unknown = CliRunner().invoke(stack, ["logs", "../secrets/x"])

    assert shown.stdout == "two\nthree\n"
    assert unknown.exit_code == 1
    assert "There is no log of" in unknown.stderr
