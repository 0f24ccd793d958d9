"""Waking one tenant: under its lock, from what the host has written, with everything else off.

The lock is the one that every step of the engine takes, so a wake never meets a deletion, an upgrade or a sleep in the
middle: it waits, and then reads policy and spec as they are now.
"""

import time
from datetime import timedelta
from typing import Final

from provisioner import awakening
from provisioner.places.errors import PlaceGone, PlaceLocked
from provisioner.places.places import Places
from provisioner.runtimes.runtime import CannotRun, Launch, Runtime, RuntimeAway
from provisioner.tenant_client import TenantClient
from provisioner.threads import in_thread
from provisioner.waker.desk import Desk
from provisioner.waker.errors import InstanceUnavailable, UnknownInstance
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.clock import Clock
from shared.kernel.ids import Slug, SubstrateId
from shared.kernel.logs import logger

log = logger(__name__)

LIMIT_TRIES: Final = 3
UNLIMITED: Final = timedelta(seconds=2)
"""How long a woken server has all the CPU there is."""


class Rouser:
    """Starts servers on this host."""

    def __init__(self, desk: Desk, places: Places, runtime: Runtime, tenant: TenantClient, clock: Clock) -> None:
        """Nothing is started before somebody asks."""
        self._desk = desk
        self._places = places
        self._runtime = runtime
        self._tenant = tenant
        self._clock = clock

    async def rouse(self, slug: Slug) -> None:
        """Have its server answer. Its CPU is not limited yet.

        Raises:
            UnknownInstance: it is nobody's (any more).
            InstanceDeleting: it serves nothing.
            InstanceUnavailable: somebody else has had its lock for very long.
            DidNotStart: as `awakening` says.
            RuntimeAway: as the runtime says.
            CannotRun: likewise.
        """
        substrate = await in_thread(self._desk.substrate_of, slug)
        try:
            async with self._places.locked(substrate):
                began = time.perf_counter()
                spec, host = await in_thread(self._desk.spec_of, slug)
                launch = self._launch(spec)
                if await awakening.ensure_answering(launch, host, self._runtime, self._tenant, self._clock):
                    took = round((time.perf_counter() - began) * 1000)
                    log.info("woken", substrate=substrate, ms=took)
        except PlaceGone:
            raise UnknownInstance from None
        except PlaceLocked:
            raise InstanceUnavailable(substrate=substrate, because="it is locked") from None

    async def settle(self, slug: Slug) -> None:
        """Limit its CPU, once it has had time for the request that has woken it: the first of a kind imports a lot."""
        await self._clock.sleep(UNLIMITED)
        try:
            await self._limit_again(await in_thread(self._desk.substrate_of, slug))
        except UnknownInstance:
            return  # deleted meanwhile

    async def finish_what_was_cut(self) -> None:
        """Limit servers that an earlier waker has started and was killed before it limited them."""
        try:
            running = [substrate for substrate, runs in (await self._runtime.list_all()).items() if runs]
        except (RuntimeAway, CannotRun) as error:
            log.warning("the runtime does not answer yet", error=str(error))
            return
        for substrate in running:
            await self._limit_again(substrate)

    async def _limit_again(self, substrate: SubstrateId) -> None:
        try:
            async with self._places.locked(substrate):
                spec = await self._places.read_spec(substrate)
                if spec is not None:
                    await self._limit(self._launch(spec))
        except (PlaceGone, PlaceLocked) as error:
            log.info("not limited", substrate=substrate, because=type(error).__name__)

    async def _limit(self, launch: Launch) -> None:
        for _ in range(LIMIT_TRIES):
            try:
                await self._runtime.apply_limits(launch)
            except RuntimeAway as error:
                away = str(error)
            else:
                return
        log.error("a woken server has no limit on its CPU", substrate=launch.spec.substrate, error=away)

    def _launch(self, spec: TenantSpec) -> Launch:
        return Launch(spec=spec, folders=self._places.folders_of(spec), uid=self._places.uid_of(spec))
