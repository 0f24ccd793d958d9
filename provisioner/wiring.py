"""Putting a worker together from its settings."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from provisioner.backups.stores.folder import FolderStore
from provisioner.backups.stores.s3 import S3Store
from provisioner.backups.vault import Vault
from provisioner.declaring import capacity_of
from provisioner.engine.leases import REGISTRY_AWAY, Leases
from provisioner.engine.runner import Runner
from provisioner.engine.sweep import Crew, Lookout, Sweep
from provisioner.gateway_probe import HttpsProbe
from provisioner.host_keys import HostKeys
from provisioner.places.places import Places
from provisioner.programs.catalogue import PROGRAMS
from provisioner.programs.halt_server import halt_server
from provisioner.programs.observe import observe
from provisioner.programs.plan_backups import let_go, plan_backup
from provisioner.programs.push_policy import push_policy
from provisioner.programs.sleep_substrate import Dozing
from provisioner.programs.tools import Tools
from provisioner.programs.watch import watch
from provisioner.runtime_choice import WorkerSettingMissing
from provisioner.runtimes.runtime import Runtime
from provisioner.settings import BackupStore, ProvisionerSettings
from provisioner.tenant_client import TenantClient
from provisioner.threads import in_thread
from shared.contracts.state_folder import StateFolder
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.ids import Ids, OperationId, RandomIds, SubstrateId
from shared.kernel.logs import logger
from shared.registry import backups, capacity, operations, policies, substrates
from shared.registry.database import Database
from shared.registry.publishing import Addresses

log = logger(__name__)

CONNECTIONS = 12
PUSHES_AT_A_TIME = 16
HALTS_AT_A_TIME = 4
RETRY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Works:
    """A worker's engine: three crews that nudges and the sweep share, one of the sweep's own, and the loops."""

    advance: Crew[OperationId]
    push_policy: Crew[SubstrateId]
    observe: Crew[SubstrateId]
    plan_backup: Crew[SubstrateId]
    halt_server: Crew[SubstrateId]
    sweep: Sweep
    watch: Callable[[], Awaitable[None]]
    doze: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Sweep and watch until cancelled; then cut what is under way and give its leases back."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self.sweep.run())
                loops.create_task(_forever(self.watch))
                loops.create_task(_forever(self.doze))
        finally:
            for crew in (self.advance, self.push_policy, self.observe, self.plan_backup, self.halt_server):
                await crew.stop()


async def assemble(settings: ProvisionerSettings, runtime: Runtime, held: AsyncExitStack) -> Works:
    """The engine on real tools. Waits for the registry, however long it takes."""
    clock = SystemClock()
    tools = Tools(
        database=await _connect(settings, held, clock),
        places=Places(StateFolder(settings.state_dir), clock, gateway_gid=settings.gateway_group),
        runtime=runtime,
        tenant=TenantClient(),
        gateway=HttpsProbe(
            Addresses(settings.domain, settings.https_port),
            gateway=settings.gateway_address,
            ca_file=settings.ca_file,
        ),
        keys=HostKeys(StateFolder(settings.state_dir).secrets),
        vault=vault_of(settings),
        clock=clock,
    )
    await tools.places.prepare()
    await in_thread(tools.vault.prepare)
    async with tools.database.transaction() as tx:
        await capacity.update_declared(tx, capacity_of(settings), clock.now())
    return works_of(tools, settings, RandomIds())


def works_of(tools: Tools, settings: ProvisionerSettings, ids: Ids) -> Works:
    """The engine on these tools."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{ids.new('wrk')}"
    runner = Runner(
        database=tools.database,
        leases=Leases(tools.database, tools.clock, owner),
        programs=PROGRAMS,
        tools=tools,
        clock=tools.clock,
    )
    advance = Crew(runner.advance, most=settings.operations_at_a_time)
    push = Crew(_with(push_policy, tools), most=PUSHES_AT_A_TIME)
    halt = Crew(_with(halt_server, tools), most=HALTS_AT_A_TIME)
    lookouts = [
        Lookout(operations.list_due, advance),
        Lookout(policies.list_push_due, push),
        Lookout(substrates.list_to_halt, halt),
    ]
    plan = Crew(_with(partial(plan_backup, ids=ids, every=settings.backup_every), tools), most=1)
    if settings.backup_every:
        lookouts.append(Lookout(backups.list_due, plan))
    return Works(
        advance=advance,
        push_policy=push,
        observe=Crew(_with(observe, tools), most=PUSHES_AT_A_TIME),
        plan_backup=plan,
        halt_server=halt,
        sweep=Sweep(tools.database, tools.clock, settings.sweep_every, lookouts),
        watch=partial(_once, _watch, tools, settings.watch_every),
        doze=partial(_once, Dozing(settings.sleep_after).round, tools, _dozing_every(settings)),
    )


def vault_of(settings: ProvisionerSettings) -> Vault:
    """Where this host's backups go.

    Raises:
        WorkerSettingMissing: the store `s3` needs a bucket and credentials.
    """
    state = StateFolder(settings.state_dir)
    if settings.backup_store is BackupStore.FOLDER:
        return Vault(FolderStore(settings.backup_folder or state.backups), state.backups_under_way)
    if not settings.backup_s3_bucket:
        raise WorkerSettingMissing(shown={"name": "PROVISIONER_BACKUP_S3_BUCKET"})
    if settings.backup_s3_credentials is None:
        raise WorkerSettingMissing(shown={"name": "PROVISIONER_BACKUP_S3_CREDENTIALS"})
    store = S3Store(
        endpoint=settings.backup_s3_endpoint or None,
        region=settings.backup_s3_region,
        bucket=settings.backup_s3_bucket,
        credentials=settings.backup_s3_credentials,
    )
    return Vault(store, state.backups_under_way)


def check(settings: ProvisionerSettings) -> None:
    """What a worker needs and the waker does without.

    Raises:
        WorkerSettingMissing: see there.
    """
    for name in ("registry_url", "broker_url"):
        if not getattr(settings, name).get_secret_value():
            raise WorkerSettingMissing(shown={"name": f"PROVISIONER_{name.upper()}"})
    vault_of(settings)


async def _connect(settings: ProvisionerSettings, held: AsyncExitStack, clock: Clock) -> Database:
    url = settings.registry_url.get_secret_value()
    while True:
        try:
            database = await Database.connect(url, most=CONNECTIONS)
        except REGISTRY_AWAY as error:
            log.warning("registry does not answer; waiting for it", error=type(error).__name__)
            await clock.sleep(RETRY)
        else:
            held.push_async_callback(database.close)
            return database


def _dozing_every(settings: ProvisionerSettings) -> timedelta:
    """How often idle servers are looked for: as often as watching, or sooner where they sleep sooner."""
    return min(settings.watch_every, (settings.sleep_after or settings.watch_every) / 2)


async def _watch(tools: Tools) -> None:
    await watch(tools)
    await let_go(tools)


async def _once(look: Callable[[Tools], Awaitable[None]], tools: Tools, every: timedelta) -> None:
    try:
        await look(tools)
    except REGISTRY_AWAY as error:
        log.warning("could not look around: registry does not answer", error=type(error).__name__)
    except Exception:
        log.exception("could not look around")
    await tools.clock.sleep(every)


async def _forever(act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await act()


def _with(
    act: Callable[[SubstrateId, Tools], Awaitable[None]], tools: Tools
) -> Callable[[SubstrateId], Awaitable[None]]:
    async def on(substrate: SubstrateId) -> None:
        try:
            await act(substrate, tools)
        except REGISTRY_AWAY as error:
            log.warning("registry does not answer", substrate=substrate, error=type(error).__name__)

    return on
