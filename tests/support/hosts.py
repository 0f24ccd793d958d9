"""One host for tests of programs: real folders, a real registry, and servers that exist in memory only."""

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

from provisioner.backups.stores.folder import FolderStore
from provisioner.backups.vault import Vault
from provisioner.engine.leases import Leases
from provisioner.engine.runner import Runner
from provisioner.host_keys import HostKeys
from provisioner.places.places import Places
from provisioner.programs.catalogue import PROGRAMS
from provisioner.programs.tools import Tools
from provisioner.tenant_client import TenantAbsent, TenantSilent
from shared.contracts.operations import Kind
from shared.contracts.policy import Applied
from shared.contracts.signed_policy import verify
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.contracts.tenant_server import Drained, Examined, Status, Usage
from shared.kernel import secret_files
from shared.kernel.ids import OperationId, RandomIds, Slug, SubstrateId
from shared.kernel.secret_files import Secret
from shared.lifecycle.substrate import Event
from shared.registry import operations, publishing, substrates
from shared.registry.database import Database
from shared.registry.operations import Operation
from shared.registry.substrates import Substrate
from tests.support import registry as registry_support
from tests.support.breaking import Breaker
from tests.support.clock import ManualClock
from tests.support.registry import Subscribed, subscribed
from tests.support.runtimes import FakeGateway, FakeRuntime


@dataclass(slots=True)
class FakeTenants:
    """Control sockets of servers that exist in memory only."""

    runtime: FakeRuntime
    host: StateFolder
    silent: set[SubstrateId] = field(default_factory=set)
    enforced: dict[SubstrateId, tuple[int, int]] = field(default_factory=dict)
    status_of: dict[SubstrateId, Status] = field(default_factory=dict)
    damaged_memories: set[bytes] = field(default_factory=set)

    busy: set[SubstrateId] = field(default_factory=set)
    """Used again since their status was asked for."""
    drains: list[SubstrateId] = field(default_factory=list)

    async def put_policy(self, folders: TenantFolders, jws: str) -> Applied:
        substrate = self._answering(folders)
        policy = verify(jws, HostKeys(self.host.secrets).trust())
        self.enforced[substrate] = max(policy.order, self.enforced.get(substrate, (0, 0)))
        epoch, generation = self.enforced[substrate]
        return Applied(epoch=epoch, generation=generation)

    async def status(self, folders: TenantFolders, substrate: SubstrateId) -> Status:
        self._answering(folders)
        return self.status_of.get(substrate) or Status(
            substrate=substrate, epoch=1, generation=1, usage=Usage(atoms=0, storage_bytes=0, month="2026-11")
        )

    async def examine(self, folders: TenantFolders) -> Examined:
        self._answering(folders)
        held = self._memory(folders)
        return Examined(whole=held not in self.damaged_memories, live_atoms=1, versions=1, history=str(len(held)))

    @asynccontextmanager
    async def memory(
        self,
        folders: TenantFolders,
        *,
        most: int,  # noqa: ARG002 - an honest server
        within: timedelta,  # noqa: ARG002 - an honest server
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self._answering(folders)
        yield self._pieces(self._memory(folders))

    def _memory(self, folders: TenantFolders) -> bytes:
        return (folders.data / "memory.db").read_bytes()

    async def _pieces(self, held: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(held), 1000):
            yield held[start : start + 1000]

    async def drain(self, folders: TenantFolders, *, idle: timedelta) -> Drained:
        substrate = self._answering(folders)
        idle_ms = self.status_of[substrate].idle_ms
        drained = idle_ms >= idle.total_seconds() * 1000 and substrate not in self.busy
        if drained:
            self.drains.append(substrate)
        return Drained(drained=drained, idle_ms=idle_ms)

    def _answering(self, folders: TenantFolders) -> SubstrateId:
        substrate = SubstrateId(folders.tenant.name)
        if substrate in self.silent:
            raise TenantSilent("the server did not answer as agreed")
        server = self.runtime.servers.get(substrate)
        if server is None or not server.running:
            raise TenantAbsent("nobody listens on the control socket")
        return substrate


class PlacesWithSockets(Places):
    """Places where a running server has opened its socket, though nobody listens in truth."""

    runtime: FakeRuntime

    async def is_open(self, spec: Any) -> bool:
        return await self.runtime.is_running(spec.substrate)


@dataclass(slots=True)
class Host:
    """A host, its tools, and what tests ask about it."""

    tools: Tools
    database: Database
    state: StateFolder
    clock: ManualClock
    runtime: FakeRuntime
    gateway: FakeGateway
    tenants: FakeTenants

    @classmethod
    async def make(cls, database: Database, root: Path) -> Self:
        """A host with an empty state folder and the key ring that `tests.support.registry` signs with."""
        state, clock, runtime = StateFolder(root), ManualClock(), FakeRuntime()
        _write_secret(state.secrets, secret_files.SIGNING, registry_support.SIGNING)
        _write_secret(state.secrets, secret_files.PROBE, registry_support.PROBE)
        _write_secret(state.secrets, secret_files.BACKUP, registry_support.BACKUP)
        places = PlacesWithSockets(state, clock, gateway_gid=os.getegid())
        places.runtime = runtime
        gateway, tenants = FakeGateway(runtime), FakeTenants(runtime, state)
        tools = Tools(
            database=database,
            places=places,
            runtime=runtime,
            tenant=tenants,  # type: ignore[arg-type]
            gateway=gateway,
            keys=HostKeys(state.secrets),
            vault=Vault(FolderStore(state.backups), state.backups_under_way),
            clock=clock,
        )
        await places.prepare()
        return cls(tools, database, state, clock, runtime, gateway, tenants)

    async def subscribe(self, plan: str = "starter") -> Subscribed:
        """An account with a substrate that waits to be provisioned."""
        async with self.database.transaction() as tx:
            return await subscribed(tx, plan=plan, now=self.clock.now())

    async def advance(self, operation: OperationId, *, tools: Tools | None = None, owner: str = "worker-1") -> None:
        """One worker's turn at an operation."""
        tools = tools or self.tools
        leases = Leases(tools.database, self.clock, owner)
        runner = Runner(database=tools.database, leases=leases, programs=PROGRAMS, tools=tools, clock=self.clock)
        await runner.advance(operation)

    async def advance_a_while(self, operation: OperationId) -> None:
        """A turn that is cut after a moment, for a program that would wait for ever; then the lease runs out."""
        turn = asyncio.create_task(self.advance(operation))
        await asyncio.wait({turn}, timeout=0.2)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)

    def broken_by(self, breaker: Breaker) -> Tools:
        """The tools, with every call counted and one of them broken."""
        names = ("database", "places", "runtime", "tenant", "gateway", "vault")
        return dataclasses.replace(
            self.tools, **{name: breaker.wrap(getattr(self.tools, name), name) for name in names}
        )

    async def started(self, plan: str = "starter") -> Subscribed:
        """A substrate that runs."""
        customer = await self.subscribe(plan)
        await self.advance(customer.operation)
        return customer

    async def with_memory(self, words: bytes = b"first") -> Subscribed:
        """A substrate that runs and has a memory, such as it is: a SQLite header and some words."""
        customer = await self.started()
        self.memory_file(customer).write_bytes(memory_of(words))
        return customer

    def memory_file(self, customer: Subscribed) -> Path:
        """The memory's file."""
        return self.state.tenant(customer.substrate, Slug("")).data / "memory.db"

    async def ask(self, customer: Subscribed, kind: Kind, **facts: str) -> OperationId:
        """As the control plane: an operation with these facts."""
        operation, now = OperationId(RandomIds().new("op")), self.clock.now()
        async with self.database.transaction() as tx:
            await operations.insert(tx, operation, kind, customer.account, customer.substrate, now, facts=facts)
        return operation

    async def ask_to_destroy(self, customer: Subscribed) -> OperationId:
        """As the control plane: cancel what is active, `deleting`, and a destroy operation, in one transaction."""
        operation, now = OperationId(RandomIds().new("op")), self.clock.now()
        async with self.database.transaction() as tx:
            active = await operations.find_active(tx, customer.substrate)
            if active is not None:
                await operations.update_canceled(tx, active.id, now)
            await substrates.update_status(tx, customer.substrate, Event.DELETION_ASKED, now)
            await publishing.publish(tx, customer.substrate, registry_support.SIGNER, now, push_due_at=now)
            await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, now)
        return operation

    async def operation(self, operation: OperationId) -> Operation:
        """The operation's row."""
        async with self.database.transaction() as tx:
            found = await operations.find(tx, operation)
        assert found is not None
        return found

    async def substrate(self, substrate: SubstrateId) -> Substrate:
        """The substrate's row."""
        async with self.database.transaction() as tx:
            return await substrates.get(tx, substrate)

    def left(self) -> list[str]:
        """Everything of any tenant's on this host."""
        roots = (self.state.tenants, self.state.control, self.state.edge, self.state.slugs)
        found = [str(path.relative_to(self.state.root)) for root in roots for path in root.rglob("*")]
        return sorted(found) + sorted(f"server {name}" for name in self.runtime.servers)


def memory_of(words: bytes) -> bytes:
    """What stands for a memory where no server looks into it."""
    return b"SQLite format 3\0" + words * 1000


def _write_secret(folder: Path, purpose: str, secret: Secret) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"{purpose}.{secret.id}.key"
    file.write_bytes(secret.value)
    file.chmod(0o400)
