"""Destroying the sealed copies of keys that nobody claimed in time."""

from datetime import datetime

from control_plane.actions.propagation import publish_change
from control_plane.actions.tools import Tools
from shared.contracts.policy import Ended
from shared.kernel.ids import SubstrateId
from shared.lifecycle.api_key import Event, State, after
from shared.lifecycle.substrate import Status
from shared.registry import api_keys, audit, substrates
from shared.registry.audit import Actor, ActorKind
from shared.registry.database import Tx

CLOCKWORK = Actor(ActorKind.SYSTEM, "clockwork")


async def lapse_api_keys(tools: Tools) -> int:
    """Look for keys whose time to be claimed is over; how many substrates had one."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        due = await api_keys.list_claim_over(tx, now, limit=100)
    for substrate in due:
        async with tools.database.transaction() as tx:
            await lapse(tools, tx, substrate, now)
        tools.doorbell.push_policy(substrate)
    return len(due)


async def lapse(tools: Tools, tx: Tx, substrate: SubstrateId, now: datetime) -> None:
    """Destroy what was not claimed in time in one substrate, and say so in its policy."""
    row = await substrates.claim(tx, substrate)
    for key in await api_keys.list_of(tx, substrate):
        if key.state is not State.UNCLAIMED or key.claim_by is None or key.claim_by > now:
            continue
        becomes = after(key.state, Event.CLAIM_LAPSED)
        if await api_keys.update_state(tx, substrate, key.id, was=key.state, becomes=becomes, now=now):
            await api_keys.update_secrets_ended(tx, key.id, Ended.REVOKED, now)
            await audit.insert(tx, row.account, CLOCKWORK, "key.claim_lapsed", now, substrate=substrate, key=key.id)
    if row.status is not Status.DELETED:
        await publish_change(tools, tx, row, now)
