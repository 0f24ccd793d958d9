"""An engine that restarts, hangs up, hangs or talks nonsense delays what it was asked for and breaks nothing."""

import gc
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pytest

from provisioner.runtimes.docker_runtime import DockerRuntime
from provisioner.runtimes.runtime import Launch, RuntimeAway
from shared.contracts.state_folder import StateFolder
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.ids import Slug, SubstrateId

SUBSTRATE = SubstrateId("sub_aaaaaaaaaaaaaaaa")
SECONDS = 1

# docker's client forgets to close a socket that could not be connected; the garbage collector does.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

SAYS = {
    "hangs up": b"",
    "talks another language": b"SSH-2.0-OpenSSH_9.2\r\n",
    "is not ready": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
    "breaks inside": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 7\r\n\r\n<html>!",
    "stops in the middle": JSON + b'Content-Length: 500\r\n\r\n{"Id": "a',
    "sends no JSON": JSON + b"Content-Length: 9\r\n\r\nnot json!",
    "sends another form": JSON + b"Content-Length: 2\r\n\r\n[]",
    "sends numbers": JSON + b"Content-Length: 6\r\n\r\n[1, 2]",
}


@contextmanager
def engine_that(says: bytes | None, path: Path) -> Iterator[None]:
    """A unix socket that answers every request with these bytes, or with silence."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(16)
    held: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                held.append(connection)
                with suppress(OSError):
                    connection.recv(65536)
                    if says is not None:
                        connection.sendall(says)
                        connection.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        for one in (listening, *held):
            one.close()


@pytest.fixture
def path(state_dir: Path) -> Path:
    return state_dir / "engine.sock"


@pytest.fixture
def runtime(path: Path) -> Iterator[DockerRuntime]:
    client = docker.DockerClient(base_url=f"unix://{path}", version="1.41", timeout=SECONDS)
    yield DockerRuntime("loam-tenant:none", Path("/nowhere"), client=client)
    client.close()
    gc.collect()


def launch() -> Launch:
    spec = TenantSpec(
        substrate=SUBSTRATE,
        slug=Slug("aaaaaaaaaa"),
        uid=200_000,
        placement=Placement.SHARED,
        memory_mb=256,
        cpus=0.5,
        storage_bytes=1_000_000,
        generation=1,
    )
    return Launch(spec=spec, folders=StateFolder(Path("/nowhere")).tenant(SUBSTRATE, spec.slug), uid=spec.uid)


CALLS: dict[str, Callable[[DockerRuntime], Awaitable[object]]] = {
    "ensure_running": lambda runtime: runtime.ensure_running(launch()),
    "apply_limits": lambda runtime: runtime.apply_limits(launch()),
    "ensure_absent": lambda runtime: runtime.ensure_absent(SUBSTRATE),
    "is_running": lambda runtime: runtime.is_running(SUBSTRATE),
    "list_all": lambda runtime: runtime.list_all(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("trouble", [name for name in SAYS if name != "sends another form"])
async def test_an_engine_in_trouble_is_tried_again_later(
    runtime: DockerRuntime, path: Path, trouble: str, call: str
) -> None:
    with engine_that(SAYS[trouble], path), pytest.raises(RuntimeAway):
        await CALLS[call](runtime)


@pytest.mark.parametrize("call", CALLS)
async def test_an_engine_that_never_answers_is_not_waited_for(runtime: DockerRuntime, path: Path, call: str) -> None:
    with engine_that(None, path), pytest.raises(RuntimeAway):
        await CALLS[call](runtime)


@pytest.mark.parametrize("call", CALLS)
async def test_an_engine_whose_socket_is_gone_is_tried_again_later(runtime: DockerRuntime, call: str) -> None:
    with pytest.raises(RuntimeAway):
        await CALLS[call](runtime)


async def test_an_engine_that_is_back_is_used_again(runtime: DockerRuntime, path: Path) -> None:
    with engine_that(b"", path), pytest.raises(RuntimeAway):
        await runtime.list_all()

    with engine_that(SAYS["sends another form"], path):
        assert await runtime.list_all() == {}
