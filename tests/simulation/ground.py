"""The host that workers share: tenants' folders, locks, the engine with its servers, the gateway. All in memory.

The kernel and the engine outlive workers: what they have begun may end after the worker that asked has died.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioner.gateway_probe import Probed, Readiness
from provisioner.places.errors import PlaceGone, PlaceLocked
from provisioner.places.lock import PATIENCE
from provisioner.runtimes.runtime import Launch, RuntimeAway
from provisioner.tenant_client import TenantAbsent
from shared.contracts.policy import Applied, Policy, Trust
from shared.contracts.signed_policy import trusted_key, verify_for
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.ids import Slug, SubstrateId
from shared.keys import probe
from tests.support.registry import PROBE, SIGNING

if TYPE_CHECKING:
    from tests.simulation.worker import Worker

STATE: Final = StateFolder(Path("/simulated"))
TRUST: Final = Trust(keys=(trusted_key(key_id=SIGNING.id, seed=SIGNING.value),))
LOCK_PAUSE: Final = 0.1

Order = tuple[int, int]


class Keys:
    """See `provisioner.host_keys.HostKeys`."""

    def trust(self) -> Trust:
        return TRUST

    def probe_tokens(self, substrate: SubstrateId, order: Order) -> list[str]:
        return [probe.secret_for(PROBE.value, substrate=substrate, epoch=order[0], generation=order[1])]


@dataclass(slots=True)
class Place:
    """One tenant's folders."""

    made: bool = False
    policy: Order = (0, 0)
    spec: TenantSpec | None = None
    edge: bool = False
    holder: "Worker | None" = None


@dataclass(slots=True)
class Server:
    """One tenant's server."""

    launch: Launch
    running: bool = False
    """Created first, started a moment later: what is cut in between is left half made."""
    enforced: Order = (0, 0)
    limited: bool = False
    made_by_the_dead: bool = False
    """The engine has finished it after whoever asked was killed."""


@dataclass(slots=True)
class Ground:
    """What is there, whoever asks."""

    places: dict[SubstrateId, Place] = field(default_factory=dict)
    servers: dict[SubstrateId, list[Server]] = field(default_factory=dict)
    closed: set[SubstrateId] = field(default_factory=set)
    """Whose edge a deletion has closed: from then on nothing may be made for it."""
    made_too_late: list[str] = field(default_factory=list)
    is_deleting: Callable[[SubstrateId], bool] = field(default=lambda _substrate: True)
    """What the registry says of it in this moment."""

    def server_of(self, substrate: SubstrateId) -> Server | None:
        found = self.servers.get(substrate)
        return found[0] if found else None

    def release(self, worker: "Worker") -> None:
        """The kernel gives back the locks of a process that has ended."""
        for place in self.places.values():
            if place.holder is worker:
                place.holder = None

    def left_of(self, substrate: SubstrateId) -> list[str]:
        """Everything of a substrate that is on the host."""
        folders = ["folders"] if substrate in self.places else []
        return folders + ["a server" for _ in self.servers.get(substrate, [])]


class Places:
    """See `provisioner.places.places.Places`: one worker's way to the folders."""

    def __init__(self, ground: Ground, worker: "Worker") -> None:
        self._ground = ground
        self._worker = worker

    def folders_of(self, spec: TenantSpec) -> TenantFolders:
        return STATE.tenant(spec.substrate, spec.slug)

    def uid_of(self, spec: TenantSpec) -> int:
        return spec.uid

    @asynccontextmanager
    async def locked(self, substrate: SubstrateId) -> AsyncIterator[None]:
        await self._worker.gate()
        place = self._place(substrate)
        gives_up = self._worker.clock.now() + PATIENCE
        while place.holder is not None:
            if self._worker.clock.now() >= gives_up:
                raise PlaceLocked(substrate)
            await asyncio.sleep(LOCK_PAUSE)
            await self._worker.gate()
        if self._ground.places.get(substrate) is not place:
            raise PlaceGone(substrate)
        place.holder = self._worker
        try:
            yield
        finally:
            if place.holder is self._worker:
                place.holder = None

    async def make_lockable(self, spec: TenantSpec) -> None:
        self._ground.places.setdefault(spec.substrate, Place())

    async def make(self, spec: TenantSpec) -> None:
        self._refuse_late("folders", spec.substrate)
        place = self._ground.places.setdefault(spec.substrate, Place())
        place.made = place.edge = True

    async def write_policy(self, spec: TenantSpec, jws: str, trust: Trust) -> Policy:
        place, given = self._place(spec.substrate), verify_for(jws, trust, substrate=spec.substrate)
        place.policy = max(place.policy, given.order)
        return given

    async def write_spec(self, spec: TenantSpec) -> None:
        self._place(spec.substrate).spec = spec

    async def close_edge(self, spec: TenantSpec) -> None:
        if self._ground.is_deleting(spec.substrate):  # the server of a failed start is halted too, and comes back
            self._ground.closed.add(spec.substrate)
        if spec.substrate in self._ground.places:
            self._ground.places[spec.substrate].edge = False

    async def remove(self, spec: TenantSpec) -> None:
        self._ground.places.pop(spec.substrate, None)

    async def remove_skeleton(self, spec: TenantSpec) -> None:
        found = self._ground.places.get(spec.substrate)
        if found is not None and not found.made:
            del self._ground.places[spec.substrate]

    async def is_there(self, spec: TenantSpec) -> bool:
        return spec.substrate in self._ground.places

    async def is_open(self, spec: TenantSpec) -> bool:
        found = self._ground.server_of(spec.substrate)
        return found is not None and found.running

    async def list_substrates(self) -> list[SubstrateId]:
        return sorted(self._ground.places)

    def _place(self, substrate: SubstrateId) -> Place:
        try:
            return self._ground.places[substrate]
        except KeyError:
            raise PlaceGone(substrate) from None

    def _refuse_late(self, what: str, substrate: SubstrateId) -> None:
        if substrate in self._ground.closed:
            self._ground.made_too_late.append(f"{what} of {substrate}")


class Engine:
    """See `provisioner.runtimes.runtime.Runtime`: one worker's way to the engine.

    Looking and acting are two moments, as they are with a real engine. Two callers at once would start two servers:
    only the substrate's lock keeps them apart.
    """

    def __init__(self, ground: Ground, worker: "Worker") -> None:
        self._ground = ground
        self._worker = worker

    async def ensure_running(self, launch: Launch) -> None:
        substrate, ground = launch.spec.substrate, self._ground
        found = ground.server_of(substrate)
        if found is not None and found.running and found.launch.spec.generation >= launch.spec.generation:
            return
        await self._a_moment()
        if found is not None:
            ground.servers.pop(substrate, None)
        there = ground.server_of(substrate)
        if there is not None and (there.made_by_the_dead or self._worker.dead):
            raise RuntimeAway("a container of this name has just appeared")
        if not self._is_mountable(substrate):
            raise RuntimeAway("its folders are not there")
        if not self._worker.dead and substrate in ground.closed:
            ground.made_too_late.append(f"a server of {substrate}")
        made = Server(launch, made_by_the_dead=self._worker.dead)
        ground.servers.setdefault(substrate, []).append(made)
        await self._a_moment()
        if not self._is_mountable(substrate):
            raise RuntimeAway("it was created and cannot start: its folders have gone")
        made.running, made.enforced = True, ground.places[substrate].policy

    async def _a_moment(self) -> None:
        await asyncio.sleep(self._worker.faults.chance.uniform(0.0, 0.4))

    def _is_mountable(self, substrate: SubstrateId) -> bool:
        place = self._ground.places.get(substrate)
        return place is not None and place.made

    async def apply_limits(self, launch: Launch) -> None:
        found = self._ground.server_of(launch.spec.substrate)
        if found is not None:
            found.limited = True

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        self._ground.servers.pop(substrate, None)

    async def is_running(self, substrate: SubstrateId) -> bool:
        found = self._ground.server_of(substrate)
        return found is not None and found.running

    async def list_all(self) -> dict[SubstrateId, bool]:
        return {substrate: servers[0].running for substrate, servers in sorted(self._ground.servers.items())}

    async def tidy(self) -> None:
        """Nothing grows here."""


class Tenants:
    """See `provisioner.tenant_client.TenantClient`."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def put_policy(self, folders: TenantFolders, jws: str) -> Applied:
        substrate = SubstrateId(folders.tenant.name)
        server = self._ground.server_of(substrate)
        if server is None or not server.running:
            raise TenantAbsent("nobody listens on the control socket")
        server.enforced = max(server.enforced, verify_for(jws, TRUST, substrate=substrate).order)
        return Applied(epoch=server.enforced[0], generation=server.enforced[1])


class Gateway:
    """See `provisioner.gateway_probe.GatewayProbe`: asks the server behind an address, by the policy it enforces."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def whoami(self, slug: Slug, token: str) -> Probed:
        for substrate, place in self._ground.places.items():
            server = self._ground.server_of(substrate)
            if server is not None and server.running and server.launch.spec.slug == slug and place.edge:
                right = probe.secret_for(
                    PROBE.value, substrate=substrate, epoch=server.enforced[0], generation=server.enforced[1]
                )
                return Probed(Readiness.READY if token == right else Readiness.REFUSED)
        return Probed(Readiness.NOT_YET, "its address answers 503")


def tools_of(ground: Ground, worker: "Worker") -> dict[str, Any]:
    """What a worker's programs reach the host with, unbroken."""
    return {
        "places": Places(ground, worker),
        "runtime": Engine(ground, worker),
        "tenant": Tenants(ground),
        "gateway": Gateway(ground),
    }
