"""Carrying a signed policy to where it is enforced: to disk, and to the server if one runs.

Workers only carry: what a policy says was decided and signed in the transaction that changed its rows.
"""

import zlib
from datetime import datetime, timedelta
from typing import Final

from provisioner.engine.outcome import TryAgain
from provisioner.programs.tools import Tools
from provisioner.tenant_client import TenantAbsent, TenantSilent
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger
from shared.registry import policies
from shared.registry.policies import StoredPolicy

log = logger(__name__)

REPEAT: Final = timedelta(minutes=10)
"""Everything is carried again this often, whatever anybody believes to be in place."""

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)
"""A server that does not take its policy costs less the longer it goes on; a newer policy is tried at once."""


def retry_after(waited: timedelta) -> timedelta:
    """The pause before the next try: as long as it has waited already, so that tries double their distance."""
    return min(max(waited, FIRST_PAUSE), LONGEST_PAUSE)


def next_push(substrate: SubstrateId, now: datetime) -> datetime:
    """When it is carried again: up to a tenth earlier, each substrate at its own time, so that they do not bunch."""
    share = zlib.crc32(substrate.encode()) / 2**32
    return now + REPEAT * (1 - share / 10)


async def newest(substrate: SubstrateId, tools: Tools) -> StoredPolicy:
    """The newest policy of a substrate that must have one."""
    async with tools.database.transaction() as tx:
        found = await policies.find(tx, substrate)
    if found is None:
        raise TryAgain("its keys and limits have not been signed yet")
    return found


async def renew(spec: TenantSpec, stored: StoredPolicy, tools: Tools) -> bool:
    """Write a policy down and hand it to the server; whether it is enforced.

    A running server's word counts. Where none runs, being fsynced counts: it is read before the edge opens. A server
    that runs and does not answer has not acknowledged anything, even when its socket is gone.

    Raises:
        PlaceGone: the substrate has no folders here.
        PolicyRefused: the trust file does not name who has signed it.
    """
    async with tools.places.locked(spec.substrate):
        await tools.places.write_policy(spec, stored.jws, tools.keys.trust())
    try:
        applied = await tools.tenant.put_policy(tools.places.folders_of(spec), stored.jws)
    except TenantAbsent:
        return not await tools.runtime.is_running(spec.substrate)
    except TenantSilent as silence:
        log.info("policy not taken", substrate=spec.substrate, reason=str(silence))
        return False
    # What it claims beyond what it was given means nothing; what falls short of it is no acknowledgement.
    return (applied.epoch, applied.generation) >= stored.order
