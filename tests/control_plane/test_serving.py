"""The program as the gateway meets it: a socket in a folder."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.kernel import secret_files
from tests.control_plane.conftest import PASSWORD
from tests.support.waiting import until


@pytest.fixture
def environment(registry_url: str, state_dir: Path) -> dict[str, str]:
    for purpose in secret_files.PURPOSES:
        secret_files.ensure(state_dir / "secrets", purpose)
    return {
        **os.environ,
        "CONTROL_PLANE_REGISTRY_URL": registry_url,
        "CONTROL_PLANE_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONTROL_PLANE_STATE_DIR": str(state_dir),
    }


@contextmanager
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    path = Path(environment["CONTROL_PLANE_STATE_DIR"]) / "edge" / "app" / "live.sock"
    program = subprocess.Popen(
        [sys.executable, "-m", "control_plane"], env=environment, stderr=subprocess.PIPE, text=True
    )
    transport = httpx.HTTPTransport(uds=str(path))
    try:
        until(lambda: listens(path), what="the control plane", seconds=20)
        with httpx.Client(transport=transport, base_url="http://app.loam.localhost") as http:
            yield program, http
    finally:
        program.kill()
        program.communicate()


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.mark.parametrize(("name", "value"), [("HTTPS_PORT", "abc"), ("DOMAIN", "bad domain"), ("STATE_DIRR", "/x")])
def test_wrong_settings_end_it_with_one_clear_line(environment, name, value):
    done = subprocess.run(
        [sys.executable, "-m", "control_plane"],
        env={**environment, f"CONTROL_PLANE_{name}": value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert f"CONTROL_PLANE_{name}" in json.loads(line)["detail"]


def test_it_serves_on_a_socket_for_its_group_only(environment):
    with running(environment) as (_, http):
        path = Path(environment["CONTROL_PLANE_STATE_DIR"]) / "edge" / "app" / "live.sock"

        assert http.get("/readyz").json() == {"status": "ready"}
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert path.stat().st_gid == path.parent.stat().st_gid


def test_a_socket_that_an_earlier_run_left_is_replaced(environment):
    folder = Path(environment["CONTROL_PLANE_STATE_DIR"]) / "edge" / "app"
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(folder / "live.sock"))

    with running(environment) as (_, http):
        assert http.get("/healthz").status_code == 200


def test_asked_to_stop_it_ends_cleanly(environment):
    with running(environment) as (program, _):
        program.send_signal(signal.SIGTERM)

        until(lambda: program.poll() is not None, what="the end", seconds=15)
        assert program.returncode in {0, -signal.SIGTERM}


def test_its_log_has_a_line_for_each_request_and_no_secret(environment):
    with running(environment) as (program, http):
        answer = http.post("/v1/signup?token=secret", json={"email": "ada@example.org", "password": PASSWORD})
        token = answer.json()["token"]
        http.get("/v1/account", headers={"Authorization": f"Bearer {token}"})
        http.get("/nowhere")
        program.send_signal(signal.SIGTERM)
        _, log = program.communicate(timeout=15)

    assert '"path": "/v1/account"' in log
    assert '"path": "/nowhere"' in log
    assert answer.headers["x-request-id"] in log
    for secret in (token, PASSWORD, "ada@example.org", "token=secret"):
        assert secret not in log


def test_a_misspelt_setting_stops_the_start(environment):
    done = subprocess.run(
        [sys.executable, "-m", "control_plane"],
        env={**environment, "CONTROL_PLANE_DOMIAN": "x"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode != 0
