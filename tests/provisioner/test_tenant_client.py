"""Speaking to a tenant's server as if it had been taken over."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from provisioner.tenant_client import TenantAbsent, TenantClient, TenantSilent
from shared.contracts.policy import Applied
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.contracts.tenant_server import ANSWER_MAX_BYTES, STATUS_MAX_BYTES, Status, Usage
from shared.kernel.ids import Slug, SubstrateId
from tests.support.policies import SLUG, SUBSTRATE
from tests.support.unix_server import Answer, Asked, serving

CHEAP_SECONDS = 0.1
"""Of the worker's one thread, for a whole exchange with the worst of servers."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

STATUS = Status(substrate=SUBSTRATE, epoch=1, generation=2, usage=Usage(atoms=3, storage_bytes=4, month="2026-11"))


@pytest.fixture
def folders(state_dir: Path) -> TenantFolders:
    place = StateFolder(state_dir).tenant(SubstrateId(SUBSTRATE), Slug(SLUG))
    place.control.mkdir(parents=True)
    return place


@pytest.fixture
def client() -> TenantClient:
    return TenantClient(timedelta(seconds=0.5))


async def test_a_policy_is_handed_over_as_it_was_signed(folders: TenantFolders, client: TenantClient) -> None:
    with serving(folders.control_socket, _json(Applied(epoch=1, generation=2))) as asked:
        applied = await client.put_policy(folders, "a.jws.text")

    assert applied == Applied(epoch=1, generation=2)
    (request,) = asked
    assert (request.method, request.path, request.body) == ("PUT", "/policy", b"a.jws.text")
    assert request.headers["Content-Type"] == "application/jose"


async def test_a_status_is_read(folders: TenantFolders, client: TenantClient) -> None:
    with serving(folders.control_socket, _json(STATUS)):
        assert await client.status(folders, SubstrateId(SUBSTRATE)) == STATUS


async def test_a_status_in_another_substrates_name_is_refused(folders: TenantFolders, client: TenantClient) -> None:
    with serving(folders.control_socket, _json(STATUS)), pytest.raises(TenantSilent, match="another substrate"):
        await client.status(folders, SubstrateId("sub_other"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=302, headers={"Location": "http://elsewhere/"}),
        Answer(status=500, body=b"{}"),
        Answer(body=b"not json"),
        Answer(body=b'{"epoch": "one", "generation": 1}'),
        Answer(body=b"[" * 60_000),
        Answer(body=b"\xff\xfe"),
        Answer(body=b"x" * (ANSWER_MAX_BYTES + 1)),
        Answer(parts=(b"x" * 10_000 for _ in range(1_000))),
        Answer(body=b"\x1f\x8b garbage", headers={"Content-Encoding": "gzip"}),
        Answer(breaks=True),
        Answer(parts=[b'{"epoch": 1, "generation": 2}']),
        Answer(status=103),
        Answer(body=b"{}", headers={"X-Large": "x" * 20_000}),
    ],
    ids=[
        "redirect",
        "error",
        "no json",
        "other form",
        "deep",
        "no text",
        "large",
        "endless",
        "packed",
        "hangs up",
        "chunked",
        "interim",
        "large head",
    ],
)
async def test_an_answer_that_was_not_agreed_is_no_answer(
    folders: TenantFolders, client: TenantClient, answer: Answer
) -> None:
    with serving(folders.control_socket, lambda _: answer), pytest.raises(TenantSilent) as caught:
        await client.put_policy(folders, "a.jws.text")

    assert not isinstance(caught.value, TenantAbsent), "a server that misbehaves is still there"


async def test_a_status_larger_than_any_status_is_no_answer(folders: TenantFolders, client: TenantClient) -> None:
    large = Answer(body=b" " * (STATUS_MAX_BYTES + 1))
    with serving(folders.control_socket, lambda _: large), pytest.raises(TenantSilent):
        await client.status(folders, SubstrateId(SUBSTRATE))


async def test_a_server_that_drips_its_answer_is_cut(folders: TenantFolders, client: TenantClient) -> None:
    with _dripping(folders.control_socket), pytest.raises(TenantSilent):
        await client.put_policy(folders, "a.jws.text")


@pytest.mark.parametrize(
    ("begin", "repeat"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 ", b"2"),
    ],
    ids=["hints", "chunks", "body", "headers", "status line"],
)
async def test_a_server_that_sends_small_things_without_end_costs_next_to_nothing(
    folders: TenantFolders, client: TenantClient, begin: bytes, repeat: bytes
) -> None:
    with _dripping(folders.control_socket, begin, repeat, pause=0):
        began = time.thread_time()

        with pytest.raises(TenantSilent):
            await client.put_policy(folders, "a.jws.text")

        assert time.thread_time() - began < CHEAP_SECONDS


async def test_a_server_that_listens_and_accepts_nobody_is_silent_at_once(
    folders: TenantFolders, client: TenantClient
) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as waiting:
        listening.bind(str(folders.control_socket))
        listening.listen(0)
        waiting.connect(str(folders.control_socket))
        began = time.thread_time()

        with pytest.raises(TenantSilent) as caught:
            await client.put_policy(folders, "a.jws.text")

        assert time.thread_time() - began < CHEAP_SECONDS
        assert not isinstance(caught.value, TenantAbsent)


async def test_without_a_server_it_is_absent(folders: TenantFolders, client: TenantClient) -> None:
    with pytest.raises(TenantAbsent):
        await client.put_policy(folders, "a.jws.text")


async def test_a_socket_that_nobody_serves_any_more_is_absent_too(folders: TenantFolders, client: TenantClient) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(folders.control_socket))
    left.close()

    with pytest.raises(TenantAbsent):
        await client.put_policy(folders, "a.jws.text")


@pytest.mark.parametrize("kind", ["symlink to a socket", "symlinked folder", "a file", "a fifo"])
async def test_whatever_was_planted_in_place_of_the_socket_is_not_spoken_to(
    folders: TenantFolders, client: TenantClient, state_dir: Path, kind: str
) -> None:
    victim = state_dir / "victim" / "control.sock"
    with serving(victim, _json(Applied(epoch=1, generation=2))) as asked:
        match kind:
            case "symlink to a socket":
                folders.control_socket.symlink_to(victim)
            case "symlinked folder":
                shutil.rmtree(folders.control)
                folders.control.symlink_to(victim.parent)
            case "a file":
                folders.control_socket.touch()
            case _:
                os.mkfifo(folders.control_socket)

        with pytest.raises(TenantSilent):
            await client.put_policy(folders, "a.jws.text")

    assert asked == []


def _json(value: object) -> Callable[[Asked], Answer]:
    return lambda _: Answer(body=msgspec.json.encode(value), headers={"Content-Type": "application/json"})


@contextmanager
def _dripping(path: Path, begin: bytes = HEAD, repeat: bytes = b"x", *, pause: float = 0.05) -> Iterator[None]:
    """A server that sends a little now and then, for ever."""
    stopped = threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(begin)
                while not stopped.wait(pause):
                    try:
                        connection.sendall(repeat)
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
