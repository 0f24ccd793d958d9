"""Put servers to sleep that nobody uses: no container is left, and the next request starts one.

A sleep is no operation: nobody asked for it, nobody follows it, and one that did not happen is tried again. It changes
the host under the substrate's lock, after the registry has said under that lock that no operation is busy with it.
The server itself decides whether it is idle, in the moment in which it closes its door.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from provisioner.places.errors import PlaceGone
from provisioner.programs import observe
from provisioner.programs.tools import Tools
from provisioner.tenant_client import TenantSilent
from shared.contracts.tenant_server import Status
from shared.contracts.tenant_spec import Placement
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger
from shared.registry import substrates
from shared.registry.substrates import Observed, Watched

log = logger(__name__)

AT_A_TIME: Final = 4
ASK_AGAIN: Final = timedelta(seconds=10)
"""When a server that did not answer, or is in use just now, is asked again at the soonest."""


class Dozing:
    """Looks for idle servers. Each is asked again only when it can have been idle for long enough."""

    def __init__(self, sleep_after: timedelta | None) -> None:
        """`sleep_after` replaces what the plans say."""
        self._sleep_after = sleep_after
        self._look_at: dict[SubstrateId, datetime] = {}

    async def round(self, tools: Tools) -> None:
        """Look at everybody whose time may have come."""
        async with tools.database.transaction() as tx:
            watched = await substrates.list_watched(tx)
        running = {substrate for substrate, runs in (await tools.runtime.list_all()).items() if runs}
        sleepy = {one.id: self._sleeps_after(one) for one in watched if may_sleep(one) and one.id in running}
        self._look_at = {substrate: at for substrate, at in self._look_at.items() if substrate in sleepy}
        now = tools.clock.now()
        due = [substrate for substrate in sleepy if self._look_at.get(substrate, now) <= now]
        turns = asyncio.Semaphore(AT_A_TIME)

        async def look(substrate: SubstrateId) -> None:
            async with turns:
                await self._look(substrate, sleepy[substrate], tools)

        await asyncio.gather(*map(look, due))

    def _sleeps_after(self, one: Watched) -> timedelta:
        return self._sleep_after if self._sleep_after is not None else one.sleeps_after

    async def _look(self, substrate: SubstrateId, after: timedelta, tools: Tools) -> None:
        try:
            left = await put_to_sleep(substrate, after, tools)
        except Exception:
            log.exception("could not put to sleep", substrate=substrate)
            left = ASK_AGAIN
        self._look_at[substrate] = tools.clock.now() + left


def may_sleep(one: Watched) -> bool:
    """Dedicated means that it never sleeps."""
    return one.placement is Placement.SHARED


async def put_to_sleep(substrate: SubstrateId, after: timedelta, tools: Tools) -> timedelta:
    """Stop the server if nobody has used it for this long; how long to wait before it can be worth asking again."""
    async with tools.database.transaction() as tx:
        row = await substrates.get(tx, substrate)
    folders = tools.places.folders_of(row.spec)
    try:
        status = await tools.tenant.status(folders, substrate)
        idle = timedelta(milliseconds=max(0, status.idle_ms))
        if idle < after and not status.draining:
            return min(after, max(after - idle, ASK_AGAIN / 10))
        async with tools.places.locked(substrate):
            return await _sleep(status, substrate, after, tools)
    except TenantSilent as silence:
        log.info("not put to sleep", substrate=substrate, reason=str(silence))
    except PlaceGone:
        log.info("not put to sleep: it is gone", substrate=substrate)
    return ASK_AGAIN


async def _sleep(status: Status, substrate: SubstrateId, after: timedelta, tools: Tools) -> timedelta:
    """Under the lock."""
    async with tools.database.transaction() as tx:
        allowed = any(one.id == substrate and may_sleep(one) for one in await substrates.list_watched(tx))
        row = await substrates.get(tx, substrate)
    if not allowed:
        return ASK_AGAIN
    drained = await tools.tenant.drain(tools.places.folders_of(row.spec), idle=after)
    if not drained.drained:
        return ASK_AGAIN
    await tools.runtime.ensure_absent(substrate)
    # What it used stays known while it sleeps: nothing can change it.
    await observe.store(substrate, status, tools)
    async with tools.database.transaction() as tx:
        await substrates.update_observed(tx, substrate, Observed.ABSENT, row.generation)
    log.info("put to sleep", substrate=substrate)
    return after
