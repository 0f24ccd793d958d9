"""A request that is refused brings its answer back, however large its body and whoever reads it."""

import json
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import gateway as gateways
from tests.support.gateway import RunningGateway
from tests.support.policies import HOST, SLUG, PolicyBuilder
from tests.support.tenant import TenantFiles, own_process, wait_until_answering

TIMES = 5
KILO = 1000

Send = Callable[[int, str], httpx.Response]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def gateway(folder: Path) -> Iterator[RunningGateway]:
    with gateways.running(folder, confined=os.geteuid() == 0) as started:
        yield started


@pytest.fixture(scope="module")
def key(folder: Path, gateway: RunningGateway) -> Iterator[str]:
    """Of a tenant's own server behind the gateway; the stored clock is the machine's."""
    builder = PolicyBuilder.with_key()
    files = TenantFiles(folder / "tenant")
    files.root.mkdir()
    files.prepare(builder.signed())
    (files.root / "edge").rmdir()
    (gateway.gateway.edge / SLUG).mkdir()
    (files.root / "edge").symlink_to(gateway.gateway.edge / SLUG)
    with (
        own_process(files, folder / "tenant.log", TENANT_EDGE_DIR=str(gateway.gateway.edge / SLUG)) as process,
        wait_until_answering(files, process, builder.key),
    ):
        yield builder.key


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def send(request: pytest.FixtureRequest, gateway: RunningGateway) -> Send:
    """Save one atom of so many bytes, on a connection of its own."""
    context = ssl.create_default_context(cafile=str(gateway.gateway.authority))

    def save(size: int, key: str) -> httpx.Response:
        body = json.dumps({"atoms": [{"content": "x" * size}]})
        with httpx.Client(
            verify=context, http1=request.param == "HTTP/1.1", http2=request.param == "HTTP/2", trust_env=False
        ) as client:
            answer = client.post(
                f"https://127.0.0.1:{gateway.gateway.https_port}/v1/atoms",
                content=body,
                headers={
                    "Host": f"{HOST}:{gateway.gateway.https_port}",
                    "Authorization": f"Bearer {key}",
                    "Content-Type": "application/json",
                },
                extensions={"sni_hostname": HOST},
                timeout=15,
            )
        assert answer.http_version == request.param
        return answer

    return save


def told(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("size", [200 * KILO, 300 * KILO, 500 * KILO, 4_000 * KILO, 5_000 * KILO])
def test_a_wrong_key_is_told_so_however_large_its_request(key: str, send: Send, size: int) -> None:
    assert {told(send(size, "nope")) for _ in range(TIMES)} == {(401, "key_malformed")}


@pytest.mark.parametrize("size", [300 * KILO, 500 * KILO, 4_000 * KILO, 5_000 * KILO])
def test_an_atom_that_the_plan_has_no_room_for_is_told_so(key: str, send: Send, size: int) -> None:
    assert {told(send(size, key)) for _ in range(TIMES)} == {(413, "atom_too_large")}


@pytest.mark.parametrize("kind", ["good key", "wrong key"])
def test_a_request_larger_than_any_may_be_is_told_the_bound(key: str, send: Send, kind: str) -> None:
    answers = [send(9_000 * KILO, key if kind == "good key" else "nope") for _ in range(TIMES)]

    assert {told(answer) for answer in answers} == {(413, "too_large")}
    assert "8388608 bytes" in answers[0].json()["detail"]


# Over HTTP/2 this client waits for the window to open and does not notice that it was answered meanwhile.
@pytest.mark.parametrize("send", ["HTTP/1.1"], indirect=True)
@pytest.mark.parametrize("kind", ["good key", "wrong key"])
def test_a_request_that_nobody_reads_to_its_end_is_told_the_bound(key: str, send: Send, kind: str) -> None:
    answers = [send(20_000 * KILO, key if kind == "good key" else "nope") for _ in range(TIMES)]

    assert {told(answer) for answer in answers} == {(413, "too_large")}


def test_an_answer_names_its_request_as_the_server_s_log_does(key: str, send: Send, folder: Path) -> None:
    answer = send(10, key)

    lines = [json.loads(line) for line in (folder / "tenant.log").read_text().splitlines() if line.startswith("{")]
    assert answer.status_code == 200
    assert answer.headers["X-Request-Id"] in {line.get("request") for line in lines}
