"""Have a server that answers: start one where none runs, wait for one that starts, replace one that is of no use.

Whoever calls holds the substrate's lock from before until after. A policy that is pushed meanwhile waits for the lock:
it finds either no server, and is read by the next one before that opens its edge, or one that takes it.
"""

from datetime import timedelta
from typing import Final

from provisioner.runtimes.runtime import Launch, Runtime
from provisioner.tenant_client import TenantClient, TenantSilent
from shared.kernel.clock import Clock
from shared.kernel.logs import logger

log = logger(__name__)

LOOK_PAUSE: Final = timedelta(milliseconds=10)
LOOKS_BETWEEN_CHECKS: Final = 25
"""Asking the engine whether the server still lives costs more than looking for its socket."""

PATIENCE: Final = timedelta(seconds=8)
"""For a server to answer. Healthy ones need less than a second, on a busy machine a few."""


class DidNotStart(Exception):
    """The server ended, or never answered. The text is for the log."""


async def ensure_answering(launch: Launch, host: str, runtime: Runtime, tenant: TenantClient, clock: Clock) -> bool:
    """Its edge answers under this host name, with a policy in force; whether a server had to be started.

    Raises:
        DidNotStart: see there; nothing of it is left in the engine.
        RuntimeAway: as the runtime says.
        CannotRun: likewise.
    """
    if await tenant.is_ready(launch.folders, host):
        return False
    if await runtime.is_running(launch.spec.substrate):
        if not await _is_draining(launch, tenant) and await _answers_soon(launch, host, runtime, tenant, clock):
            return False  # it was just being started, by a program or by the engine after a reboot
        log.warning("a server that does not answer is replaced", substrate=launch.spec.substrate)
        await runtime.ensure_absent(launch.spec.substrate)
    await runtime.ensure_running(launch)
    if not await _answers_soon(launch, host, runtime, tenant, clock):
        await runtime.ensure_absent(launch.spec.substrate)
        raise DidNotStart("it ended, or did not answer in time; its log says why")
    return True


async def _is_draining(launch: Launch, tenant: TenantClient) -> bool:
    try:
        return (await tenant.status(launch.folders, launch.spec.substrate)).draining
    except TenantSilent:
        return False


async def _answers_soon(launch: Launch, host: str, runtime: Runtime, tenant: TenantClient, clock: Clock) -> bool:
    gives_up = clock.now() + PATIENCE
    looks = 0
    while clock.now() < gives_up:
        if await tenant.is_ready(launch.folders, host):
            return True
        looks += 1
        if looks % LOOKS_BETWEEN_CHECKS == 0 and not await runtime.is_running(launch.spec.substrate):
            return False
        await clock.sleep(LOOK_PAUSE)
    return False
