"""A sleeper is woken once, however many ask, and never for somebody who may not."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from provisioner.places.places import Places
from provisioner.tenant_client import TenantSilent
from provisioner.waker.desk import Desk
from provisioner.waker.errors import InstanceDeleting, InstanceUnavailable, TooManyWakes, UnknownInstance
from provisioner.waker.rouser import Rouser
from provisioner.waker.wakes import Wakes
from shared.contracts.policy import Mode
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.contracts.tenant_server import Status
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.clock import SystemClock
from shared.kernel.ids import Slug, SubstrateId
from shared.keys.verdict import KeyRefused
from tests.support.clock import ManualClock
from tests.support.hosts import FakeTenants
from tests.support.policies import HOST, SLUG, SUBSTRATE, PolicyBuilder, trust_json
from tests.support.runtimes import FakeRuntime


@dataclass(slots=True)
class WokenRuntime(FakeRuntime):
    """Servers that answer as soon as they run, unless they are dead from the start."""

    dead: bool = False
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        self.servers.pop(substrate, None)
        self.removed.set()


@dataclass(slots=True)
class Edges(FakeTenants):
    """Edges of servers that exist in memory only."""

    async def status(self, folders: TenantFolders, substrate: SubstrateId) -> Status:
        raise TenantSilent(f"{substrate} at {folders.control} says nothing")

    async def is_ready(self, folders: TenantFolders, host: str) -> bool:
        await asyncio.sleep(0)
        found = self.runtime.servers.get(SubstrateId(folders.tenant.name))
        return found is not None and found.running and not self.runtime.dead and host == HOST  # type: ignore[attr-defined]


@dataclass(slots=True)
class Sleeper:
    """A tenant that is asleep, and a waker."""

    folders: TenantFolders
    state: StateFolder
    builder: PolicyBuilder
    runtime: WokenRuntime
    desk: Desk
    rouser: Rouser
    clock: ManualClock

    def wakes(self, *, most: int = 3, waiting: int = 16, hold: timedelta = timedelta(seconds=10)) -> Wakes:
        return Wakes(self.rouser.rouse, self.rouser.settle, self.clock, most=most, waiting=waiting, hold=hold)


@pytest.fixture
def sleeper(state_dir: Path) -> Sleeper:
    state, clock, runtime = StateFolder(state_dir), ManualClock(), WokenRuntime()
    folders = state.tenant(SubstrateId(SUBSTRATE), Slug(SLUG))
    folders.host.mkdir(parents=True)
    state.slugs.mkdir()
    (state.slugs / SLUG).write_text(SUBSTRATE)
    folders.lock.touch()
    folders.trust.write_bytes(trust_json())
    builder = PolicyBuilder.with_key()
    folders.policy.write_text(builder.signed())
    folders.spec.write_bytes(msgspec.json.encode(spec()))
    desk = Desk(state, "loam.localhost", clock)
    places = Places(state, SystemClock(), gateway_gid=None)
    rouser = Rouser(desk, places, runtime, Edges(runtime, state), clock)  # type: ignore[arg-type]
    return Sleeper(folders, state, builder, runtime, desk, rouser, clock)


def spec(placement: Placement = Placement.SHARED) -> TenantSpec:
    return TenantSpec(
        substrate=SubstrateId(SUBSTRATE),
        slug=Slug(SLUG),
        uid=700_000,
        placement=placement,
        memory_mb=256,
        cpus=0.5,
        storage_bytes=100_000_000,
        generation=1,
    )


async def test_a_hundred_that_ask_at_once_wake_it_once(sleeper: Sleeper) -> None:
    wakes = sleeper.wakes()

    await asyncio.gather(*(wakes.hold(Slug(SLUG)) for _ in range(100)))
    await wakes.finish()

    assert sleeper.runtime.starts == [SUBSTRATE]
    assert sleeper.runtime.servers[SubstrateId(SUBSTRATE)].limited


@pytest.mark.parametrize("placement", list(Placement))
async def test_a_dedicated_one_that_is_down_is_started_as_well(sleeper: Sleeper, placement: Placement) -> None:
    sleeper.folders.spec.write_bytes(msgspec.json.encode(spec(placement)))

    await sleeper.rouser.rouse(Slug(SLUG))

    assert sleeper.runtime.starts == [SUBSTRATE]


async def test_one_that_answers_already_is_not_started_again(sleeper: Sleeper) -> None:
    await sleeper.rouser.rouse(Slug(SLUG))

    await sleeper.rouser.rouse(Slug(SLUG))

    assert sleeper.runtime.starts == [SUBSTRATE]


async def test_a_server_that_never_answers_is_taken_away_and_left_alone_for_a_while(sleeper: Sleeper) -> None:
    sleeper.runtime.dead = True
    wakes = sleeper.wakes()

    with pytest.raises(InstanceUnavailable):
        await wakes.hold(Slug(SLUG))
    with pytest.raises(InstanceUnavailable):
        await wakes.hold(Slug(SLUG))

    assert sleeper.runtime.starts == [SUBSTRATE]
    assert sleeper.runtime.servers == {}


async def test_after_a_while_it_is_tried_again(sleeper: Sleeper) -> None:
    sleeper.runtime.dead = True
    wakes = sleeper.wakes()
    with pytest.raises(InstanceUnavailable):
        await wakes.hold(Slug(SLUG))

    sleeper.runtime.dead = False
    sleeper.clock.advance(timedelta(seconds=2))
    await wakes.hold(Slug(SLUG))

    assert sleeper.runtime.starts == [SUBSTRATE] * 2


async def test_a_server_that_runs_and_does_not_answer_is_replaced(sleeper: Sleeper) -> None:
    await sleeper.rouser.rouse(Slug(SLUG))
    sleeper.runtime.dead = True

    waking = asyncio.create_task(sleeper.rouser.rouse(Slug(SLUG)))
    await sleeper.runtime.removed.wait()
    sleeper.runtime.dead = False
    await waking

    assert sleeper.runtime.starts == [SUBSTRATE] * 2


async def test_a_request_is_not_held_for_ever(sleeper: Sleeper) -> None:
    places = Places(sleeper.state, SystemClock(), gateway_gid=None)
    wakes = sleeper.wakes(hold=timedelta(milliseconds=50))

    async with places.locked(SubstrateId(SUBSTRATE)):
        with pytest.raises(InstanceUnavailable) as caught:
            await wakes.hold(Slug(SLUG))
    await wakes.finish()

    assert int(caught.value.headers["Retry-After"]) > 0
    assert sleeper.runtime.starts == [SUBSTRATE], "whoever comes again finds it awake"


async def test_one_that_is_being_put_to_sleep_is_woken_afterwards(sleeper: Sleeper) -> None:
    places = Places(sleeper.state, SystemClock(), gateway_gid=None)
    wakes = sleeper.wakes()

    async with places.locked(SubstrateId(SUBSTRATE)):
        held = asyncio.create_task(wakes.hold(Slug(SLUG)))
        await asyncio.sleep(0.05)
        assert sleeper.runtime.starts == []
    await held

    assert sleeper.runtime.starts == [SUBSTRATE]


async def test_beyond_its_capacity_a_burst_is_told_at_once_to_come_again() -> None:
    go_on = asyncio.Event()
    begun: list[Slug] = []

    async def slow(slug: Slug) -> None:
        begun.append(slug)
        await go_on.wait()

    async def nothing(_slug: Slug) -> None:
        return

    wakes = Wakes(slow, nothing, ManualClock(), most=3, waiting=2)
    held = [asyncio.create_task(wakes.hold(Slug(f"slug{number}"))) for number in range(5)]
    await asyncio.sleep(0.01)

    with pytest.raises(TooManyWakes) as caught:
        await wakes.hold(Slug("one too many"))
    joins = asyncio.create_task(wakes.hold(Slug("slug0")))
    await asyncio.sleep(0.01)
    at_once = list(begun)
    go_on.set()
    await asyncio.gather(*held, joins)

    assert caught.value.status == 503
    assert int(caught.value.headers["Retry-After"]) > 0
    assert len(at_once) == 3


async def test_a_wake_goes_on_when_everybody_who_waited_has_gone(sleeper: Sleeper) -> None:
    wakes = sleeper.wakes()
    held = asyncio.create_task(wakes.hold(Slug(SLUG)))
    await asyncio.sleep(0)
    held.cancel()

    await wakes.finish()

    assert sleeper.runtime.starts == [SUBSTRATE]


async def test_one_that_was_deleted_while_its_wake_waited_is_not_started(sleeper: Sleeper) -> None:
    places = Places(sleeper.state, SystemClock(), gateway_gid=None)
    wakes = sleeper.wakes()

    async with places.locked(SubstrateId(SUBSTRATE)):
        held = asyncio.create_task(wakes.hold(Slug(SLUG)))
        await asyncio.sleep(0.05)
        (sleeper.state.slugs / SLUG).unlink()

    with pytest.raises(UnknownInstance):
        await held
    assert sleeper.runtime.starts == []


@pytest.mark.parametrize("mode", [Mode.RUNNING, Mode.READ_ONLY, Mode.SUSPENDED])
async def test_what_a_mode_refuses_is_said_by_the_server_itself(sleeper: Sleeper, mode: Mode) -> None:
    sleeper.folders.policy.write_text(sleeper.builder.next(mode=mode).signed())

    await sleeper.rouser.rouse(sleeper.desk.admit(HOST, sleeper.builder.key))

    assert sleeper.runtime.starts == [SUBSTRATE]


async def test_one_that_is_deleting_is_not_started_only_to_refuse_everything(sleeper: Sleeper) -> None:
    sleeper.folders.policy.write_text(sleeper.builder.next(mode=Mode.DELETING).signed())

    with pytest.raises(InstanceDeleting) as caught:
        sleeper.desk.admit(HOST, sleeper.builder.key)
    with pytest.raises(InstanceDeleting):
        await sleeper.rouser.rouse(Slug(SLUG))

    assert (caught.value.status, caught.value.code) == (403, "instance_deleting")
    assert sleeper.runtime.starts == []


def test_a_key_that_was_revoked_while_it_slept_wakes_nobody(sleeper: Sleeper) -> None:
    sleeper.folders.policy.write_text(sleeper.builder.next(keys=()).signed())

    with pytest.raises(KeyRefused):
        sleeper.desk.admit(HOST, sleeper.builder.key)


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", msgspec.json.encode({"substrate": "sub_other"})])
async def test_without_a_spec_of_its_own_nothing_is_started(sleeper: Sleeper, content: bytes) -> None:
    sleeper.folders.spec.write_bytes(content)

    with pytest.raises(InstanceUnavailable):
        await sleeper.rouser.rouse(Slug(SLUG))

    assert sleeper.runtime.starts == []


async def test_servers_that_a_killed_waker_has_left_unlimited_are_limited(sleeper: Sleeper) -> None:
    await sleeper.rouser.rouse(Slug(SLUG))

    await sleeper.rouser.finish_what_was_cut()

    assert sleeper.runtime.servers[SubstrateId(SUBSTRATE)].limited
