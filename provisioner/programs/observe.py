"""Ask a tenant's server what it uses, for whoever looks. What it says about itself is believed about itself only."""

import re
from datetime import datetime
from typing import Final

from provisioner.hostile_http import printable
from provisioner.programs.tools import Tools
from provisioner.tenant_client import TenantSilent
from shared.contracts.operations import CHANNEL_USAGE
from shared.contracts.tenant_server import KeyUse, Status
from shared.kernel.clock import from_ms, to_ms
from shared.kernel.ids import KeyId, SubstrateId
from shared.kernel.logs import logger
from shared.lifecycle.substrate import Status as Life
from shared.registry import api_keys, policies, substrates
from shared.registry.substrates import Observed, Usage

log = logger(__name__)

MONTH: Final = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
MOST_KEYS: Final = 1000
LARGEST: Final = 2**53
UP: Final = frozenset({Life.RUNNING, Life.READ_ONLY, Life.SUSPENDED})


async def observe(substrate: SubstrateId, tools: Tools) -> None:
    """Store what it uses and when its keys were last used, and tell whoever waits."""
    async with tools.database.transaction() as tx:
        row = await substrates.find(tx, substrate)
    if row is None:
        return
    try:
        status = await tools.tenant.status(tools.places.folders_of(row.spec), substrate)
    except TenantSilent as silence:
        log.info("usage not observed", substrate=substrate, reason=str(silence))
        return
    await store(substrate, status, tools)
    if row.observed is Observed.ABSENT and row.status in UP:
        # The waker cannot say so: it works without the registry.
        async with tools.database.transaction() as tx:
            await substrates.update_observed(tx, substrate, Observed.RUNNING, row.generation)


async def store(substrate: SubstrateId, status: Status, tools: Tools) -> None:
    """Keep a server's answer, and tell whoever waits."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await substrates.claim(tx, substrate)  # a deletion erases the same rows, in another order
        await substrates.update_usage(tx, substrate, usage_of(status, now))
        stored = await policies.find(tx, substrate)
        if stored is not None and (status.epoch, status.generation) < stored.acknowledged:
            await policies.update_push_due(tx, substrate, now)  # it was started from something older
        for use in status.keys[:MOST_KEYS]:
            at = _moment(use.at_ms, now)
            await api_keys.update_last_used(tx, substrate, _key_of(use), at, printable(use.client))
        await tx.notify(CHANNEL_USAGE, substrate)


def usage_of(status: Status, now: datetime) -> Usage:
    """A server's claims, kept inside what they can be."""
    usage = status.usage
    return Usage(
        atoms=_count(usage.atoms),
        storage_bytes=_count(usage.storage_bytes),
        bootstraps=_count(usage.bootstraps),
        month=usage.month if MONTH.fullmatch(usage.month) else f"{now:%Y-%m}",
        last_request_at=_moment(status.last_request_ms, now) if status.last_request_ms is not None else None,
        last_client=printable(status.last_client),
        observed_at=now,
    )


def _count(claimed: int) -> int:
    return max(0, min(claimed, LARGEST))


def _moment(claimed_ms: int, now: datetime) -> datetime:
    """A moment in the past: nothing has been used in the future."""
    return from_ms(max(0, min(claimed_ms, to_ms(now))))


def _key_of(use: KeyUse) -> KeyId:
    """An id as the registry may look it up; PostgreSQL's text has no zero byte."""
    return KeyId(use.key_id[:64].replace("\0", ""))
