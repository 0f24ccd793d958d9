"""A runtime that keeps its state in memory, and a gateway that asks it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from provisioner.gateway_probe import Probed, Readiness
from provisioner.runtimes.runtime import Launch
from shared.kernel.ids import Slug, SubstrateId


@dataclass(slots=True)
class FakeServer:
    """A tenant's server that exists only here."""

    launch: Launch
    running: bool = True
    limited: bool = False


@dataclass(slots=True)
class FakeRuntime:
    """See `provisioner.runtimes.runtime.Runtime`."""

    servers: dict[SubstrateId, FakeServer] = field(default_factory=dict)
    starts: list[SubstrateId] = field(default_factory=list)
    """Everyone who was started, as often as it was."""

    async def ensure_running(self, launch: Launch) -> None:
        spec = launch.spec
        found = self.servers.get(spec.substrate)
        if found is not None and found.running and found.launch.spec.generation >= spec.generation:
            return
        self.servers[spec.substrate] = FakeServer(launch)
        self.starts.append(spec.substrate)

    async def apply_limits(self, launch: Launch) -> None:
        found = self.servers.get(launch.spec.substrate)
        if found is not None and found.running:
            found.launch, found.limited = launch, True

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        self.servers.pop(substrate, None)

    async def is_running(self, substrate: SubstrateId) -> bool:
        found = self.servers.get(substrate)
        return found is not None and found.running

    async def list_all(self) -> dict[SubstrateId, bool]:
        return {substrate: server.running for substrate, server in self.servers.items()}

    async def tidy(self) -> None:
        """Nothing grows here."""


@dataclass(slots=True)
class FakeGateway:
    """Answers for servers of a `FakeRuntime`, as a gateway in front of them would."""

    runtime: FakeRuntime
    asked: list[tuple[Slug, str]] = field(default_factory=list)
    answers: list[Probed] = field(default_factory=list)
    """Said first, one by one, whatever runs."""
    on_asked: Callable[[], object] = lambda: None
    """Called each time."""

    async def whoami(self, slug: Slug, token: str) -> Probed:
        self.asked.append((slug, token))
        self.on_asked()
        if self.answers:
            return self.answers.pop(0)
        if any(server.launch.spec.slug == slug and server.running for server in self.runtime.servers.values()):
            return Probed(Readiness.READY)
        return Probed(Readiness.NOT_YET, "its address answers 503")
