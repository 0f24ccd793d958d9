"""Putting a worker together from its settings."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from provisioner.engine.leases import REGISTRY_AWAY, Leases
from provisioner.engine.runner import Runner
from provisioner.engine.sweep import Crew, Lookout, Sweep
from provisioner.gateway_probe import HttpsProbe
from provisioner.host_keys import HostKeys
from provisioner.places.places import Places
from provisioner.programs.catalogue import PROGRAMS
from provisioner.programs.halt_server import halt_server
from provisioner.programs.observe import observe
from provisioner.programs.push_policy import push_policy
from provisioner.programs.tools import Tools
from provisioner.programs.watch import watch
from provisioner.runtimes.docker_runtime import DockerRuntime
from provisioner.runtimes.process_runtime import ProcessRuntime
from provisioner.runtimes.runtime import Runtime
from provisioner.settings import Environment, ProvisionerSettings, RuntimeKind
from provisioner.tenant_client import TenantClient
from shared.contracts.state_folder import StateFolder
from shared.kernel.clock import Clock, SystemClock
from shared.kernel.errors import AppError
from shared.kernel.ids import Ids, OperationId, RandomIds, SubstrateId
from shared.kernel.logs import logger
from shared.registry import operations, policies, substrates
from shared.registry.database import Database
from shared.registry.publishing import Addresses

log = logger(__name__)

CONNECTIONS = 12
PUSHES_AT_A_TIME = 16
HALTS_AT_A_TIME = 4
RETRY = timedelta(seconds=1)


class WorkerSettingMissing(AppError):
    """A worker needs a setting that the waker does without."""

    code = "worker_setting_missing"
    status = 500
    public = "The worker needs the setting {name}."
    next_action = "Set it, then start again."


@dataclass(frozen=True, slots=True)
class Works:
    """A worker's engine: three crews that nudges and the sweep share, one of the sweep's own, and the loops."""

    advance: Crew[OperationId]
    push_policy: Crew[SubstrateId]
    observe: Crew[SubstrateId]
    halt_server: Crew[SubstrateId]
    sweep: Sweep
    watch: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Sweep and watch until cancelled; then cut what is under way and give its leases back."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self.sweep.run())
                loops.create_task(_forever(self.watch))
        finally:
            for crew in (self.advance, self.push_policy, self.observe, self.halt_server):
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
        clock=clock,
    )
    await tools.places.prepare()
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
    return Works(
        advance=advance,
        push_policy=push,
        observe=Crew(_with(observe, tools), most=PUSHES_AT_A_TIME),
        halt_server=halt,
        sweep=Sweep(tools.database, tools.clock, settings.sweep_every, lookouts),
        watch=partial(_watch_once, tools, settings.watch_every),
    )


def check(settings: ProvisionerSettings) -> None:
    """What a worker needs and the waker does without.

    Raises:
        WorkerSettingMissing: see there.
    """
    for name in ("registry_url", "broker_url"):
        if not getattr(settings, name).get_secret_value():
            raise WorkerSettingMissing(shown={"name": f"PROVISIONER_{name.upper()}"})


def runtime_of(settings: ProvisionerSettings) -> Runtime:
    """How tenants' servers run here.

    Raises:
        WorkerSettingMissing: see there.
        RuntimeNotForProduction: the runtime `process` in production.
    """
    match settings.runtime:
        case RuntimeKind.DOCKER:
            if not settings.tenant_image:
                raise WorkerSettingMissing(shown={"name": "PROVISIONER_TENANT_IMAGE"})
            return DockerRuntime(settings.tenant_image, settings.state_dir)
        case RuntimeKind.PROCESS:
            if settings.tenant_python is None:
                raise WorkerSettingMissing(shown={"name": "PROVISIONER_TENANT_PYTHON"})
            production = settings.environment is Environment.PRODUCTION
            return ProcessRuntime(settings.tenant_python, StateFolder(settings.state_dir), production=production)


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


async def _watch_once(tools: Tools, every: timedelta) -> None:
    try:
        await watch(tools)
    except REGISTRY_AWAY as error:
        log.warning("could not watch: registry does not answer", error=type(error).__name__)
    except Exception:
        log.exception("could not watch")
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
