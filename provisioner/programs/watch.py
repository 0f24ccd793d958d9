"""Compare what runs on this host with what should, now and then.

A dedicated server that does not run is started again: after a reboot without a container engine, or when somebody has
removed a container by hand. A shared one is left to sleep until somebody asks for it; only what a dead one has left
behind is removed, and the registry is told who sleeps. What is left of a deleted substrate is removed: a crash in the
wrong moment can leave it. So is the server of one whose start has failed. What the registry does not know is reported
and left alone: the registry may be an old backup, the data is not. A container that was created and never started is
cleared away like a dead one.
"""

from collections.abc import Awaitable, Callable

from provisioner.places.errors import PlaceGone
from provisioner.programs import carrying
from provisioner.programs.halt_server import halt_server
from provisioner.programs.sleep_substrate import may_sleep
from provisioner.programs.tools import Tools, alone_with
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger
from shared.registry import policies, substrates
from shared.registry.substrates import Observed, Watched

log = logger(__name__)

Act = Callable[[SubstrateId, Tools], Awaitable[None]]


async def watch(tools: Tools) -> None:
    """One round. One substrate's trouble does not end it."""
    async with tools.database.transaction() as tx:
        watched = await substrates.list_watched(tx)
    servers = await tools.runtime.list_all()
    here = sorted({*servers, *await tools.places.list_substrates()})
    async with tools.database.transaction() as tx:
        deleted = await substrates.list_deleted(tx, here)
        failed = await substrates.list_failed(tx, sorted(servers))
        known = await substrates.list_known(tx, here)
    unknown = sorted(set(here) - set(known))
    if unknown:
        # The alert: a restored registry, or another's state folder. Nothing of theirs is touched.
        log.error(
            "tenants that the registry does not know", substrates=unknown, running=sorted({*servers} & {*unknown})
        )
    for one in watched:
        if not servers.get(one.id, False) and not may_sleep(one):
            await _quietly(bring_back, one.id, tools)
        elif one.id in servers and not servers[one.id]:
            await _quietly(clear_dead, one.id, tools)
    await _note_who_sleeps(watched, servers, tools)
    for substrate in deleted:
        await _quietly(clear_away, substrate, tools)
    for substrate in failed:
        await _quietly(halt_server, substrate, tools)
    await tools.runtime.tidy()


async def bring_back(substrate: SubstrateId, tools: Tools) -> None:
    """Start a server that should run. Its program is over, so the registry is asked again under the lock."""
    try:
        async with tools.places.locked(substrate):
            async with tools.database.transaction() as tx:
                if substrate not in await substrates.list_up(tx):
                    return
                row = await substrates.get(tx, substrate)
            stored = await carrying.newest(substrate, tools)
            await tools.places.write_policy(row.spec, stored.jws, tools.keys.trust())
            launch = tools.launch(row.spec)
            await tools.runtime.ensure_running(launch)
            await tools.runtime.apply_limits(launch)
    except PlaceGone:
        # The alert, without a traceback: the condition is named.
        log.error("a substrate that should run has no folders here", substrate=substrate)  # noqa: TRY400
        return
    log.warning("a server that had gone was started again", substrate=substrate)
    async with tools.database.transaction() as tx:
        await policies.update_push_due(tx, substrate, tools.clock.now())


async def clear_dead(substrate: SubstrateId, tools: Tools) -> None:
    """Remove what a server that has ended left in the engine: asleep is no container at all."""
    async with tools.places.locked(substrate):
        if not (await tools.runtime.list_all()).get(substrate, False):
            await tools.runtime.ensure_absent(substrate)
            log.warning("a server that had ended was cleared away", substrate=substrate)


async def _note_who_sleeps(watched: list[Watched], servers: dict[SubstrateId, bool], tools: Tools) -> None:
    """The waker starts servers without the registry, and an engine ends them without anybody."""
    async with tools.database.transaction() as tx:
        for one in watched:
            if not may_sleep(one):
                continue
            seen = Observed.RUNNING if servers.get(one.id, False) else Observed.ABSENT
            if one.observed is not seen:
                await substrates.update_observed(tx, one.id, seen, one.generation)


async def clear_away(substrate: SubstrateId, tools: Tools) -> None:
    """Remove what is left of a deleted substrate."""
    async with tools.database.transaction() as tx:
        row = await substrates.get(tx, substrate)
    async with alone_with(row.spec, tools):
        await tools.runtime.ensure_absent(substrate)
        await tools.places.remove(row.spec)
    log.warning("remains of a deleted substrate were removed", substrate=substrate)


async def _quietly(act: Act, substrate: SubstrateId, tools: Tools) -> None:
    try:
        await act(substrate, tools)
    except Exception:
        log.exception("could not put right what runs here", substrate=substrate)
