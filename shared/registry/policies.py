"""Signed policies, one row a substrate: every statement that touches `policy` and `registry`."""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.ids import SubstrateId
from shared.registry.database import Row, Tx


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """The newest policy of a substrate and how far it has got."""

    substrate: SubstrateId
    epoch: int
    generation: int
    jws: str
    signed_at: datetime
    acknowledged: tuple[int, int]
    acknowledged_at: datetime | None

    @property
    def order(self) -> tuple[int, int]:
        """(epoch, generation)."""
        return (self.epoch, self.generation)


async def get_epoch(tx: Tx) -> int:
    """The registry's epoch, which grows when a backup is restored."""
    found: int = await tx.value("SELECT epoch FROM registry")
    return found


async def find(tx: Tx, substrate: SubstrateId) -> StoredPolicy | None:
    """The newest policy."""
    row = await tx.row("SELECT * FROM policy WHERE substrate_id = :id", {"id": substrate})
    return _policy(row) if row else None


async def get(tx: Tx, substrate: SubstrateId) -> StoredPolicy:
    """The newest policy of a substrate that must have one."""
    found = await find(tx, substrate)
    if found is None:
        raise LookupError(substrate)
    return found


async def next_generation(tx: Tx, substrate: SubstrateId) -> int:
    """The generation that a policy signed in this transaction has."""
    was = await tx.value("SELECT generation FROM policy WHERE substrate_id = :id FOR UPDATE", {"id": substrate})
    return (was or 0) + 1


async def update(tx: Tx, policy: StoredPolicy, push_due_at: datetime | None) -> None:
    """Store a newer policy; what an older one was acknowledged as, stays."""
    await tx.run(
        """
        INSERT INTO policy (substrate_id, epoch, generation, jws, signed_at, push_due_at)
        VALUES (:id, :epoch, :generation, :jws, :signed_at, :push_due_at)
        ON CONFLICT (substrate_id) DO UPDATE
           SET epoch = excluded.epoch, generation = excluded.generation, jws = excluded.jws,
               signed_at = excluded.signed_at, push_due_at = excluded.push_due_at
         WHERE (policy.epoch, policy.generation) < (excluded.epoch, excluded.generation)
        """,
        {
            "id": policy.substrate,
            "epoch": policy.epoch,
            "generation": policy.generation,
            "jws": policy.jws,
            "signed_at": policy.signed_at,
            "push_due_at": push_due_at,
        },
    )


async def update_acknowledged(
    tx: Tx, substrate: SubstrateId, order: tuple[int, int], now: datetime, *, next_push: datetime | None
) -> None:
    """Note what the tenant's side enforces; never backwards. The next push is kept early while a newer one waits."""
    await tx.run(
        """
        UPDATE policy
           SET acknowledged_epoch = :epoch, acknowledged_generation = :generation, acknowledged_at = :now,
               push_due_at = CASE WHEN (epoch, generation) = (:epoch, :generation) THEN :next_push ELSE push_due_at END
         WHERE substrate_id = :id AND (acknowledged_epoch, acknowledged_generation) <= (:epoch, :generation)
        """,
        {"id": substrate, "epoch": order[0], "generation": order[1], "now": now, "next_push": next_push},
    )


async def update_push_due(tx: Tx, substrate: SubstrateId, push_due_at: datetime | None) -> None:
    """When the sweep carries it again."""
    await tx.run("UPDATE policy SET push_due_at = :due WHERE substrate_id = :id", {"id": substrate, "due": push_due_at})


async def list_push_due(tx: Tx, now: datetime, limit: int) -> list[SubstrateId]:
    """Substrates whose policy should be carried now."""
    rows = await tx.rows(
        "SELECT substrate_id FROM policy WHERE push_due_at <= :now ORDER BY push_due_at LIMIT :limit",
        {"now": now, "limit": limit},
    )
    return [row["substrate_id"] for row in rows]


async def delete(tx: Tx, substrate: SubstrateId) -> None:
    """Forget the policy of a substrate that is gone."""
    await tx.run("DELETE FROM policy WHERE substrate_id = :id", {"id": substrate})


def _policy(row: Row) -> StoredPolicy:
    return StoredPolicy(
        substrate=row["substrate_id"],
        epoch=row["epoch"],
        generation=row["generation"],
        jws=row["jws"],
        signed_at=row["signed_at"],
        acknowledged=(row["acknowledged_epoch"], row["acknowledged_generation"]),
        acknowledged_at=row["acknowledged_at"],
    )
