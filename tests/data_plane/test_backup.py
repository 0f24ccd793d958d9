"""A copy for the host: one moment of the memory, whatever is saved meanwhile."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_plane.actions.copy_memory import Copier
from data_plane.store.errors import Busy
from tests.support.policies import PolicyBuilder
from tests.support.tenant import MovedClock, Tenant, TenantFiles, serving


async def test_a_copy_is_a_whole_database_with_everything_that_was_saved(tenant: Tenant, tmp_path: Path) -> None:
    await tenant.saved("The office moved to Lisbon in May.", "The printer is on the second floor.")

    copy = await _copied(tenant, tmp_path)

    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = opened.execute("SELECT content FROM atom_version ORDER BY idx").fetchall()
    assert found == [("The office moved to Lisbon in May.",), ("The printer is on the second floor.",)]


async def test_a_copy_announces_its_length_so_that_a_cut_one_shows(tenant: Tenant) -> None:
    answer = await tenant.control.post("/backup")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/vnd.sqlite3"
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_a_copy_holds_one_moment_while_saving_goes_on(tenant: Tenant, tmp_path: Path) -> None:
    await tenant.saved(*[f"Note {number} about the harbour." for number in range(100)])

    async def save_on() -> None:
        for number in range(20):
            await tenant.saved(*[f"Later {number}-{part}" for part in range(20)])

    saving = asyncio.create_task(save_on())
    copies = [await _copied(tenant, tmp_path, name=f"copy-{number}") for number in range(5)]
    await saving

    for copy in copies:
        with closing(sqlite3.connect(copy)) as opened:
            assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            versions = opened.execute("SELECT count(*) FROM atom_version").fetchone()[0]
            live = opened.execute("SELECT value FROM tally WHERE name = 'live_atoms'").fetchone()[0]
        assert versions == live, "a save is in the copy whole or not at all"
        assert (versions - 100) % 20 == 0


async def test_a_copy_leaves_nothing_on_the_tenants_disk(tenant: Tenant) -> None:
    await tenant.control.post("/backup")

    assert {path.name for path in (tenant.files.root / "data").iterdir()} <= {
        "memory.db",
        "memory.db-wal",
        "memory.db-shm",
    }


async def test_what_a_killed_server_left_of_a_copy_is_no_hindrance(tenant: Tenant) -> None:
    (tenant.files.root / "data" / ".copy").write_bytes(b"half")

    assert (await tenant.control.post("/backup")).status_code == 200


async def test_one_copy_is_made_at_a_time(tenant: Tenant) -> None:
    copier = Copier(tenant.files.root / "data" / "memory.db")
    copier._one_at_a_time.acquire()

    with pytest.raises(Busy):
        await copier.copy()


async def test_nobody_on_the_edge_gets_a_copy(tenant: Tenant) -> None:
    assert (await tenant.call("POST", "/backup")).status_code == 404
    assert (await tenant.call("GET", "/examination")).status_code == 404


async def test_two_memories_with_the_same_history_are_seen_to_be_the_same(
    tenant: Tenant, builder: PolicyBuilder, tmp_path: Path, tenant_folder: Path
) -> None:
    await tenant.saved("One.", "Two.")
    copy = await _copied(tenant, tmp_path)
    before = (await tenant.control.get("/examination")).json()
    other = TenantFiles(tenant_folder / "o")
    other.root.mkdir()
    other.prepare(builder.signed())
    (other.root / "data" / "memory.db").write_bytes(copy.read_bytes())

    async with serving(other, builder, MovedClock()) as restored:
        after = (await restored.control.get("/examination")).json()
        await restored.saved("Three.")
        later = (await restored.control.get("/examination")).json()

    assert before == after
    assert before["whole"]
    assert (before["live_atoms"], before["versions"]) == (2, 2)
    assert later["history"] != before["history"]


async def test_a_restored_memory_takes_no_policy_older_than_the_hosts(
    tenant: Tenant, tmp_path: Path, tenant_folder: Path, builder: PolicyBuilder
) -> None:
    copy = await _copied(tenant, tmp_path)
    newer, between = builder.changed(generation=5), builder.changed(generation=3)
    other = TenantFiles(tenant_folder / "o")
    other.root.mkdir()
    other.prepare(newer.signed())
    (other.root / "data" / "memory.db").write_bytes(copy.read_bytes())

    async with serving(other, newer, MovedClock()) as restored:
        answer = await restored.push(between)

    assert answer.status_code == 409, answer.text
    assert answer.json()["code"] == "policy_older"


async def _copied(tenant: Tenant, folder: Path, *, name: str = "copy") -> Path:
    answer = await tenant.control.post("/backup")
    assert answer.status_code == 200, answer.text
    target = folder / name
    target.write_bytes(answer.content)
    return target
