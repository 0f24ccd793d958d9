"""A tenant's folders: who may do what in them, and how they are removed though a tenant has been there."""

import asyncio
import os
import stat
from pathlib import Path

import msgspec
import pytest

from provisioner.places import removal
from provisioner.places.errors import NotAFolder, PlaceGone, PlaceLocked, SlugTaken
from provisioner.places.ownership import Ownership
from provisioner.places.places import Places
from shared.contracts.policy import Trust
from shared.contracts.signed_policy import PolicyRefused, trusted_key
from shared.contracts.state_folder import StateFolder
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.clock import SystemClock
from shared.kernel.ids import Slug, SubstrateId
from tests.support.clock import ManualClock
from tests.support.policies import KEY_ID, OTHER_SEED, SEED, SLUG, SUBSTRATE, PolicyBuilder

GATEWAY = 12_345
TRUST = Trust(keys=(trusted_key(key_id=KEY_ID, seed=SEED),))
SPEC = TenantSpec(
    substrate=SubstrateId(SUBSTRATE),
    slug=Slug(SLUG),
    uid=654_321,
    placement=Placement.SHARED,
    memory_mb=256,
    cpus=0.5,
    storage_bytes=10_000,
    generation=1,
)


@pytest.fixture
async def places(state_dir: Path) -> Places:
    made = Places(StateFolder(state_dir), SystemClock(), gateway_gid=GATEWAY)
    await made.prepare()
    return made


@pytest.fixture
async def made(places: Places) -> Places:
    """Places with one tenant in it."""
    await places.make_lockable(SPEC)
    await places.make(SPEC)
    return places


def test_each_folder_has_the_owner_and_mode_that_its_user_needs_and_no_more() -> None:
    owners = Ownership(root=True, uid=7, gateway_gid=9)

    table = {name: getattr(owners, name) for name in ("tenant", "writable", "host", "host_file", "edge")}

    assert {name: (access.uid, access.gid, oct(access.mode)) for name, access in table.items()} == {
        "tenant": (0, 7, "0o710"),
        "writable": (7, 7, "0o700"),
        "host": (0, 7, "0o750"),
        "host_file": (0, 7, "0o440"),
        "edge": (7, 9, "0o2710"),
    }


def test_without_root_everything_is_the_users_own_and_closed_to_others() -> None:
    owners = Ownership(root=False, uid=7, gateway_gid=9)

    for name in ("tenant", "writable", "host", "edge"):
        access = getattr(owners, name)
        assert (access.uid, access.gid, access.mode) == (-1, -1, 0o700)


async def test_folders_are_on_disk_as_the_table_says(made: Places) -> None:
    place = made.folders_of(SPEC)
    owners = made.ownership_of(SPEC)

    for path, access in (
        (place.tenant, owners.tenant),
        (place.data, owners.writable),
        (place.keys, owners.writable),
        (place.control, owners.writable),
        (place.host, owners.host),
        (place.edge, owners.edge),
    ):
        found = path.stat()
        assert stat.S_IMODE(found.st_mode) == access.mode, path
        if access.uid != -1:
            assert (found.st_uid, found.st_gid) == (access.uid, access.gid), path


async def test_making_twice_changes_nothing_that_is_there(made: Places) -> None:
    memory = made.folders_of(SPEC).data / "memory.db"
    memory.write_text("precious")

    await made.make_lockable(SPEC)
    await made.make(SPEC)

    assert memory.read_text() == "precious"


async def test_a_symlink_in_place_of_a_folder_is_refused_and_not_followed(places: Places, tmp_path: Path) -> None:
    await places.make_lockable(SPEC)
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    places.folders_of(SPEC).data.symlink_to(victim)

    with pytest.raises(NotAFolder):
        await places.make(SPEC)

    assert stat.S_IMODE(victim.stat().st_mode) == 0o755


async def test_a_slug_is_never_given_to_another_substrate(made: Places) -> None:
    other = msgspec.structs.replace(SPEC, substrate=SubstrateId("sub_other"))
    await made.make_lockable(other)

    with pytest.raises(SlugTaken):
        await made.make(other)


async def test_an_older_policy_is_never_written_over_a_newer_one(made: Places) -> None:
    old = PolicyBuilder.with_key()
    new = old.next()
    await made.write_policy(SPEC, new.signed(), TRUST)

    there = await made.write_policy(SPEC, old.signed(), TRUST)

    assert there.generation == new.policy.generation
    assert made.folders_of(SPEC).policy.read_text() == new.signed()


async def test_a_policy_of_a_new_epoch_is_written_whatever_its_generation(made: Places) -> None:
    late = PolicyBuilder.with_key().changed(generation=90)
    restored = late.changed(epoch=2, generation=1)
    await made.write_policy(SPEC, late.signed(), TRUST)

    await made.write_policy(SPEC, restored.signed(), TRUST)

    assert made.folders_of(SPEC).policy.read_text() == restored.signed()


async def test_a_policy_that_nobody_trusted_has_signed_is_not_written(made: Places) -> None:
    with pytest.raises(PolicyRefused):
        await made.write_policy(SPEC, PolicyBuilder.with_key().signed(OTHER_SEED), TRUST)

    assert not made.folders_of(SPEC).policy.exists()


async def test_what_the_host_writes_the_tenant_cannot_change(made: Places) -> None:
    await made.write_policy(SPEC, PolicyBuilder.with_key().signed(), TRUST)
    await made.write_spec(SPEC)
    place = made.folders_of(SPEC)

    for path in (place.policy, place.trust, place.spec):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    assert sorted(path.name for path in place.host.iterdir()) == ["lock", "policy", "spec", "trust"]


async def test_closing_the_edge_takes_the_socket_out_of_the_gateways_sight(made: Places) -> None:
    place = made.folders_of(SPEC)
    place.live_socket.touch()

    await made.close_edge(SPEC)
    await made.close_edge(SPEC)

    assert not place.edge.exists()


async def test_an_edge_that_came_back_is_closed_as_well(made: Places) -> None:
    await made.close_edge(SPEC)
    await made.make(SPEC)

    await made.close_edge(SPEC)
    await made.remove(SPEC)

    assert list(StateFolder(made._state.root).edge.iterdir()) == []


async def test_removal_leaves_nothing_and_may_run_twice(made: Places) -> None:
    await made.remove(SPEC)
    await made.remove(SPEC)

    assert not await made.is_there(SPEC)
    assert await made.list_substrates() == []


async def test_only_an_empty_skeleton_is_taken_back(made: Places, places: Places) -> None:
    await made.remove_skeleton(SPEC)
    assert made.folders_of(SPEC).data.exists()

    other = msgspec.structs.replace(SPEC, substrate=SubstrateId("sub_other"))
    await places.make_lockable(other)
    await places.remove_skeleton(other)
    assert not places.folders_of(other).tenant.exists()


async def test_the_lock_lets_one_in_at_a_time(made: Places) -> None:
    inside, order = asyncio.Event(), []

    async def second() -> None:
        await inside.wait()
        async with made.locked(SPEC.substrate):
            order.append("second")

    waiting = asyncio.create_task(second())
    async with made.locked(SPEC.substrate):
        inside.set()
        await asyncio.sleep(0)
        order.append("first")
    await waiting

    assert order == ["first", "second"]


async def test_whoever_waited_for_a_place_that_was_removed_is_told_so(state_dir: Path) -> None:
    places = Places(StateFolder(state_dir), SystemClock(), gateway_gid=GATEWAY)
    await places.prepare()
    await places.make_lockable(SPEC)

    async def late() -> None:
        async with places.locked(SPEC.substrate):
            raise AssertionError("it must not get in")

    async with places.locked(SPEC.substrate):
        waiting = asyncio.create_task(late())
        await asyncio.sleep(0)
        await places.remove(SPEC)
        await places.make_lockable(SPEC)

    with pytest.raises(PlaceGone):
        await waiting


def test_removal_follows_no_symlink(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("precious")
    planted = tmp_path / "planted"
    (planted / "deep").mkdir(parents=True)
    (planted / "to-file").symlink_to(victim / "file")
    (planted / "deep" / "to-folder").symlink_to(victim)

    removal.remove(planted)

    assert not planted.exists()
    assert (victim / "file").read_text() == "precious"


def test_removal_of_a_symlink_removes_the_symlink(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    link = tmp_path / "link"
    link.symlink_to(victim)

    removal.remove(link)

    assert not link.is_symlink()
    assert victim.exists()


def test_a_tree_deeper_than_any_stack_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "deep"
    top.mkdir()
    handle = os.open(top, os.O_RDONLY)
    for _ in range(5_000):
        os.mkdir("d", dir_fd=handle)
        inner = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = inner
    os.close(handle)

    removal.remove(top)

    assert not top.exists()


def test_names_that_a_tenant_guessed_do_not_confuse_removal(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in (f"{removal.MOVED}0", f"{removal.MOVED}1", "plain"):
        (top / name / "inner").mkdir(parents=True)
    (top / f"{removal.MOVED}2").write_text("a file")

    removal.remove(top)

    assert not top.exists()


def test_special_files_are_removed_and_not_opened(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    os.mkfifo(top / "fifo")
    (top / "not\nprintable\udcff").touch()

    removal.remove(top)

    assert not top.exists()


async def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(state_dir: Path) -> None:
    places = Places(StateFolder(state_dir), ManualClock(), gateway_gid=GATEWAY)
    await places.prepare()
    await places.make_lockable(SPEC)

    async with places.locked(SPEC.substrate):
        with pytest.raises(PlaceLocked):
            async with places.locked(SPEC.substrate):
                raise AssertionError("it must not get in")
