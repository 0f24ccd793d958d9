"""What programs work with, and the few moves that most of their steps begin with."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from provisioner.backups.vault import Vault
from provisioner.engine.program import Turn
from provisioner.gateway_probe import GatewayProbe
from provisioner.host_keys import HostKeys
from provisioner.places.errors import PlaceGone
from provisioner.places.places import Places
from provisioner.runtimes.runtime import Launch, Runtime
from provisioner.tenant_client import TenantClient
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.clock import Clock
from shared.registry import operations, substrates
from shared.registry.database import Database
from shared.registry.substrates import Observed, Substrate


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything a step may touch. Tests break any call of any of them."""

    database: Database
    places: Places
    runtime: Runtime
    tenant: TenantClient
    gateway: GatewayProbe
    keys: HostKeys
    vault: Vault
    clock: Clock

    def launch(self, spec: TenantSpec) -> Launch:
        """What the runtime is asked to run."""
        return Launch(spec=spec, folders=self.places.folders_of(spec), uid=self.places.uid_of(spec))


async def substrate_of(turn: Turn, tools: Tools) -> Substrate:
    """The substrate as the registry has it now.

    Raises:
        LeaseLost: the turn is over. A step that holds the substrate's lock asks this before it acts: a deletion takes
            the lease away first, so whoever still has it acts before the deletion does, and whoever has lost it
            acts no more.
    """
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        return await substrates.get(tx, turn.operation.substrate)


async def note_observed(turn: Turn, tools: Tools, observed: Observed, generation: int = 0) -> None:
    """Write down what the host has: `unknown` before an outside call, so that one that never ended shows.

    Raises:
        LeaseLost: as `substrate_of`.
    """
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await substrates.update_observed(tx, turn.operation.substrate, observed, generation)


@asynccontextmanager
async def alone_with(spec: TenantSpec, tools: Tools) -> AsyncIterator[None]:
    """Hold the substrate's lock, if it has a place here at all: what undoes must cope with what was never done."""
    async with AsyncExitStack() as held:
        with suppress(PlaceGone):
            await held.enter_async_context(tools.places.locked(spec.substrate))
        yield
