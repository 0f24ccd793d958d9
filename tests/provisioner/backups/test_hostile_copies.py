"""A tenant's server that was taken over cannot fill the disk, hold a worker, or pass off anything as a memory."""

import io
import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioner.backups import envelope
from provisioner.backups.envelope import SQLITE, Label
from provisioner.backups.errors import BackupRefused, CopyRefused
from provisioner.tenant_client import TenantClient, TenantSilent
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.kernel.ids import BackupId, Slug, SubstrateId
from tests.support.unix_server import Answer, serving

LABEL = Label(
    backup=BackupId("bak_1"),
    substrate=SubstrateId("sub_1"),
    key="bkey_1",
    created_at=datetime(2026, 11, 21, tzinfo=UTC),
)
MEMORY = SQLITE + b"the office moved to Lisbon " * 20_000
MOST = 1_000_000
IDENTITY, RECIPIENT = envelope.new_identity()


@pytest.fixture
def folders(state_dir: Path) -> TenantFolders:
    found = StateFolder(state_dir).tenant(SubstrateId("sub_1"), Slug("abcdefghij"))
    found.control.mkdir(parents=True)
    return found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(parts=itertools.repeat(b"x" * 65536)), "does not tell its length"),
        (Answer(body=b"x" * (MOST + 1)), "too large"),
        (Answer(status=500), "answered 500"),
        (Answer(breaks=True), "did not answer"),
    ],
    ids=["endless", "too large", "an error", "hangs up"],
)
async def test_a_copy_that_was_not_agreed_is_no_copy(folders: TenantFolders, answer: Answer, words: str) -> None:
    with serving(folders.control_socket, lambda _: answer), pytest.raises(TenantSilent, match=words):
        await _taken(folders)


async def test_a_server_that_never_gets_ready_is_cut(folders: TenantFolders) -> None:
    def stall() -> Iterable[bytes]:
        yield from ()

    held = Answer(parts=stall(), headers={"Content-Length": "10"})
    with serving(folders.control_socket, lambda _: held), pytest.raises(TenantSilent):
        await _taken(folders, within=timedelta(seconds=0.3))


async def test_an_honest_copy_comes_whole(folders: TenantFolders) -> None:
    with serving(folders.control_socket, lambda _: Answer(body=MEMORY)):
        assert await _taken(folders) == MEMORY


@pytest.mark.parametrize("garbage", [b"", b"SQLite", b"garbage" * 100, b"\0" * 100])
def test_what_is_no_database_is_not_sealed(garbage: bytes) -> None:
    with pytest.raises(CopyRefused):
        _sealed(garbage)


@pytest.mark.parametrize("pieces", [1, 7, 65536])
def test_a_sealed_memory_opens_byte_for_byte(pieces: int) -> None:
    opened = bytearray()

    envelope.unseal(io.BytesIO(_sealed(MEMORY, pieces)), opened.extend, LABEL, IDENTITY, most=len(MEMORY))

    assert bytes(opened) == MEMORY


def harms() -> dict[str, Callable[[bytes], bytes]]:
    return {
        "cut": lambda sealed: sealed[:-1],
        "cut at a piece": lambda sealed: sealed[: 200 + 65536 + 16][:-1],
        "empty": lambda _: b"",
        "changed first": lambda sealed: b"x" + sealed[1:],
        "changed": lambda sealed: sealed[:-20] + bytes([sealed[-20] ^ 1]) + sealed[-19:],
        "longer": lambda sealed: sealed + b"x",
        "garbage": lambda _: b"garbage" * 100,
    }


@pytest.mark.parametrize("harm", harms().values(), ids=harms())
def test_a_harmed_backup_is_refused(harm: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BackupRefused):
        _opened(harm(_sealed(MEMORY)), LABEL)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"substrate": "sub_2"}, "another substrate's"),
        ({"backup": "bak_2"}, "another backup"),
        ({"key": "bkey_2"}, "another backup"),
        ({"loam_backup": 0}, "of format 0"),
        ({"loam_backup": 2}, "of format 2"),
    ],
)
def test_a_backup_under_anothers_name_or_of_another_format_is_refused(changed: dict[str, object], words: str) -> None:
    label = Label(**{**{name: getattr(LABEL, name) for name in LABEL.__struct_fields__}, **changed})

    with pytest.raises(BackupRefused, match=words):
        _opened(_sealed(MEMORY, label=label), LABEL)


def test_another_tenants_key_opens_nothing() -> None:
    with pytest.raises(BackupRefused, match="another key"):
        envelope.unseal(io.BytesIO(_sealed(MEMORY)), _drop, LABEL, envelope.new_identity()[0], most=MOST)


def test_a_backup_that_unfolds_beyond_what_was_noted_is_refused() -> None:
    with pytest.raises(BackupRefused, match="more than was noted"):
        envelope.unseal(io.BytesIO(_sealed(SQLITE + b"\0" * 10_000_000)), _drop, LABEL, IDENTITY, most=MOST)


async def _taken(folders: TenantFolders, *, within: timedelta = timedelta(seconds=10)) -> bytes:
    async with TenantClient().memory(folders, most=MOST, within=within) as pieces:
        return b"".join([piece async for piece in pieces])


def _sealed(memory: bytes, pieces: int = 65536, *, label: Label = LABEL) -> bytes:
    left = iter([memory[start : start + pieces] for start in range(0, min(len(memory), 200 * pieces), pieces)])
    rest = iter([memory[200 * pieces :]])
    target = io.BytesIO()
    envelope.seal(lambda: next(left, b"") or next(rest, b""), target, label, RECIPIENT)
    return target.getvalue()


def _opened(sealed: bytes, wanted: Label) -> None:
    envelope.unseal(io.BytesIO(sealed), _drop, wanted, IDENTITY, most=len(MEMORY))


def _drop(_piece: bytes) -> None:
    """Nobody reads it."""
