"""The server as its own process: how it starts, ends, survives and what it costs."""

import json
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.support.policies import PROBE, PolicyBuilder
from tests.support.tenant import TenantFiles, own_process, wait_until_answering

PSS_FRESH_MB = 45
PSS_AFTER_MCP_MB = 80


@pytest.fixture
def log(tenant_folder: Path) -> Path:
    return tenant_folder / "log"


def test_acknowledged_saves_survive_a_kill(files: TenantFiles, builder: PolicyBuilder, log: Path):
    acknowledged: list[str] = []

    for life in range(4):
        with own_process(files, log) as process, wait_until_answering(files, process, builder.key):
            reached = threading.Event()
            writers = [
                threading.Thread(target=_save_until_killed, args=(files, builder, acknowledged, f"{life}.{n}", reached))
                for n in range(3)
            ]
            for writer in writers:
                writer.start()
            assert reached.wait(20)
            process.kill()
            for writer in writers:
                writer.join()

    with own_process(files, log) as process, wait_until_answering(files, process, builder.key) as client:
        for name in acknowledged:
            assert client.get(f"/v1/atoms/{name}").status_code == 200
        assert client.get("/v1/usage").json()["atoms"]["used"] >= len(acknowledged)
    assert len(acknowledged) >= 4 * 20


def _save_until_killed(
    files: TenantFiles, builder: PolicyBuilder, acknowledged: list[str], who: str, reached: threading.Event
) -> None:
    transport = httpx.HTTPTransport(uds=str(files.live_socket))
    headers = {"Authorization": f"Bearer {builder.key}"}
    with httpx.Client(transport=transport, base_url=f"http://{builder.policy.hosts[0]}", headers=headers) as client:
        for number in range(10_000):
            name = f"fact.n{who}-{number}"
            try:
                answer = client.post("/v1/atoms", json={"atoms": [{"name": name, "content": name}]})
            except httpx.TransportError:
                return
            if answer.status_code != 200:
                return
            acknowledged.append(name)
            if number == 20:
                reached.set()


def test_a_server_told_to_stop_ends_clean_and_takes_its_sockets_away(
    files: TenantFiles, builder: PolicyBuilder, log: Path
):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key):
        process.send_signal(signal.SIGTERM)

        assert process.wait(15) == 0

    assert not files.live_socket.exists()
    assert not files.control_socket.exists()


def test_a_socket_left_behind_by_a_killed_server_is_replaced(files: TenantFiles, builder: PolicyBuilder, log: Path):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key):
        process.kill()
    assert files.live_socket.exists()

    with own_process(files, log) as process, wait_until_answering(files, process, builder.key) as client:
        assert client.get("/healthz").status_code == 200


def test_everybody_may_open_the_edges_socket_and_only_the_owner_the_other(
    files: TenantFiles, builder: PolicyBuilder, log: Path
):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key):
        assert stat.S_IMODE(files.live_socket.stat().st_mode) == 0o666
        assert stat.S_IMODE(files.control_socket.stat().st_mode) == 0o600


def test_nobody_else_can_read_the_memorys_files(files: TenantFiles, builder: PolicyBuilder, log: Path):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (files.root / "data").iterdir()}

    assert modes["memory.db"] == 0o600
    assert set(modes.values()) == {0o600}


def test_the_log_holds_no_keys_names_contents_or_addresses(files: TenantFiles, builder: PolicyBuilder, log: Path):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key) as client:
        client.post("/v1/atoms", json={"atoms": [{"name": "fact.private-name", "content": "private content"}]})
        client.get("/v1/atoms/fact.private-name")
        client.get("/v1/atoms/fact.private-absent")
        client.post("/v1/search", json={"query": "private question"})
        client.get("/v1/private-path?private=query")
        client.get("/v1/whoami", headers={"Authorization": f"Bearer {PolicyBuilder().key}"})
        client.get("/v1/whoami", headers={"Authorization": f"Bearer {PROBE}"})
        _call_tool(client, "memory_search", {"query": "private question"})
        _call_tool(client, "private_tool", {})
        client.post("/mcp", content=b'{"private', headers={"Content-Type": "application/json"})
        process.terminate()
        process.wait(15)

    written = log.read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    assert "private" not in written
    assert not re.search(r"(mmk|lpb)_\w{8}", written)
    assert "/v1/atoms/{name}" in {line["route"] for line in requests}
    assert "tools/call memory_search" in {line["what"] for line in requests}
    assert {line["key"] for line in requests} == {"key_1", "probe", None}
    assert all({"method", "status", "ms"} <= set(line) for line in requests)


def test_an_awake_tenant_stays_small(files: TenantFiles, builder: PolicyBuilder, log: Path):
    with own_process(files, log) as process, wait_until_answering(files, process, builder.key) as client:
        fresh = _pss_mb(process)
        _call_tool(client, "memory_save", {"atoms": [{"content": "something"}]})
        _call_tool(client, "memory_search", {"query": "something"})
        after_mcp = _pss_mb(process)

    assert fresh <= PSS_FRESH_MB
    assert after_mcp <= PSS_AFTER_MCP_MB


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"TENANT_DATADIR": "/data"}, "Did you mean TENANT_DATA_DIR?"),
        ({"TENANT_SUBSTRATE": ""}, "TENANT_SUBSTRATE is missing"),
    ],
)
def test_a_misspelt_or_missing_setting_stops_the_start(files: TenantFiles, environment, says):
    ended = subprocess.run(
        [sys.executable, "-m", "data_plane"],
        env={**files.environment(), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 78
    assert says in ended.stderr


def _call_tool(client: httpx.Client, name: str, arguments: dict[str, object]) -> None:
    params = {"name": name, "arguments": arguments}
    answer = client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    assert answer.status_code == 200


def _pss_mb(process: subprocess.Popen[bytes]) -> float:
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE).group(1)) / 1024
