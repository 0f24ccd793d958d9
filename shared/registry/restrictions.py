"""Why a substrate is `read_only`: every statement that touches `restriction`.

Several reasons may hold at once; lifting one keeps the others. Whoever inserts or deletes one settles the substrate's
status and publishes its policy in the same transaction. A worker, which cannot sign, leaves both to the control plane's
clockwork, which looks for substrates that are not settled.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import STRICTNESS, Event, Reason, Status, settling
from shared.registry import substrates
from shared.registry.database import Tx


@dataclass(frozen=True, slots=True)
class Restriction:
    """One reason, and since when it holds."""

    reason: Reason
    since: datetime


async def insert(tx: Tx, substrate: SubstrateId, reason: Reason, now: datetime) -> bool:
    """One more reason; `False` when it held already."""
    changed = await tx.run(
        """
        INSERT INTO restriction (substrate_id, reason, since) VALUES (:substrate, :reason, :now)
        ON CONFLICT DO NOTHING
        """,
        {"substrate": substrate, "reason": reason.value, "now": now},
    )
    return changed == 1


async def delete(tx: Tx, substrate: SubstrateId, reason: Reason) -> bool:
    """One reason less; `False` when it did not hold."""
    changed = await tx.run(
        "DELETE FROM restriction WHERE substrate_id = :substrate AND reason = :reason",
        {"substrate": substrate, "reason": reason.value},
    )
    return changed == 1


async def delete_of(tx: Tx, substrate: SubstrateId) -> None:
    """All reasons of a substrate that is gone."""
    await tx.run("DELETE FROM restriction WHERE substrate_id = :substrate", {"substrate": substrate})


async def list_of(tx: Tx, substrate: SubstrateId) -> list[Restriction]:
    """Every reason that holds, the strictest first."""
    rows = await tx.rows("SELECT reason, since FROM restriction WHERE substrate_id = :id", {"id": substrate})
    found = [Restriction(Reason(row["reason"]), row["since"]) for row in rows]
    return sorted(found, key=lambda one: STRICTNESS.index(one.reason))


async def find_since(tx: Tx, substrate: SubstrateId, reason: Reason) -> datetime | None:
    """Since when this reason holds, if it does."""
    found: datetime | None = await tx.value(
        "SELECT since FROM restriction WHERE substrate_id = :id AND reason = :reason",
        {"id": substrate, "reason": reason.value},
    )
    return found


async def settle(tx: Tx, substrate: SubstrateId, now: datetime) -> bool:
    """Make the substrate's status and reason agree with what holds; whether anything changed."""
    row = await substrates.claim(tx, substrate)
    held = await list_of(tx, substrate)
    reason = held[0].reason.value if held else None
    event = settling(row.status, restricted=bool(held))
    if event is not None:
        await substrates.update_status(tx, substrate, event, now, reason=reason if event is Event.RESTRICTED else None)
        return True
    if row.status is Status.READ_ONLY and reason is not None and row.status_reason != reason:
        await substrates.update_reason(tx, substrate, reason)
        return True
    return False


async def list_unsettled(tx: Tx, limit: int) -> list[SubstrateId]:
    """Substrates whose status does not agree with what holds: a worker has noted a reason, or lifted one."""
    rows = await tx.rows(
        """
        SELECT s.id FROM substrate s
         WHERE s.status = 'running' AND EXISTS (SELECT 1 FROM restriction r WHERE r.substrate_id = s.id)
            OR s.status = 'read_only' AND s.status_reason IS DISTINCT FROM (
                SELECT r.reason FROM restriction r WHERE r.substrate_id = s.id
                 ORDER BY array_position(:strictness::text[], r.reason) LIMIT 1)
         ORDER BY s.id
         LIMIT :limit
        """,
        {"limit": limit, "strictness": [reason.value for reason in STRICTNESS]},
    )
    return [row["id"] for row in rows]
