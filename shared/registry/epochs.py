"""A new epoch: after the registry was restored, every policy is signed anew and carried to every tenant.

Policies are ordered by (epoch, generation). A restored registry knows an old state: keys made since then it has
forgotten, keys revoked since then it believes to be live. Its generations may be behind what tenants enforce, so its
words would be refused as old; in a later epoch they win, and what it has forgotten opens nothing any more.
"""

from datetime import datetime

from shared.kernel.ids import SubstrateId
from shared.registry import policies, publishing
from shared.registry.database import Tx
from shared.registry.publishing import Signer


async def begin_epoch(tx: Tx, signer: Signer, now: datetime, *, seen: int = 0) -> int:
    """Begin an epoch later than the registry's own and than any that was `seen`; sign and plan to push everything.

    Returns:
        The epoch.
    """
    epoch: int = await tx.value(
        "UPDATE registry SET epoch = greatest(epoch, :seen) + 1 RETURNING epoch", {"seen": seen}
    )
    rows = await tx.rows("SELECT substrate_id FROM policy ORDER BY substrate_id")
    for row in rows:
        substrate = SubstrateId(row["substrate_id"])
        await publishing.publish(tx, substrate, signer, now, push_due_at=now)
        await policies.update_push_due(tx, substrate, now)
    return epoch
