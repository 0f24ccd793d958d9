"""Keys that open tenants' backups: every statement that touches `backup_key`.

One for each substrate. Deleting the row is what makes every backup of it unreadable, so whoever destroys a substrate
calls `delete` in the transaction that ends it.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.ids import SubstrateId
from shared.registry.database import Tx


@dataclass(frozen=True, slots=True)
class BackupKey:
    """One substrate's key."""

    id: str
    substrate: SubstrateId
    recipient: str
    """What backups are encrypted to."""
    sealed: bytes
    """The identity that opens them."""
    sealed_with: str
    created_at: datetime


async def find(tx: Tx, substrate: SubstrateId) -> BackupKey | None:
    """The substrate's key; `None` before its first backup and after it was destroyed."""
    row = await tx.row("SELECT * FROM backup_key WHERE substrate_id = :id", {"id": substrate})
    if row is None:
        return None
    return BackupKey(
        id=row["id"],
        substrate=row["substrate_id"],
        recipient=row["recipient"],
        sealed=row["sealed"],
        sealed_with=row["sealed_with"],
        created_at=row["created_at"],
    )


async def insert(tx: Tx, key: BackupKey) -> None:
    """A substrate's key, unless it has one: the first one stays, for backups were made with it."""
    await tx.run(
        """
        INSERT INTO backup_key (id, substrate_id, recipient, sealed, sealed_with, created_at)
        VALUES (:id, :substrate, :recipient, :sealed, :sealed_with, :created_at)
        ON CONFLICT (substrate_id) DO NOTHING
        """,
        {
            "id": key.id,
            "substrate": key.substrate,
            "recipient": key.recipient,
            "sealed": key.sealed,
            "sealed_with": key.sealed_with,
            "created_at": key.created_at,
        },
    )


async def delete(tx: Tx, substrate: SubstrateId) -> None:
    """No backup of the substrate can be read from now on."""
    await tx.run("DELETE FROM backup_key WHERE substrate_id = :id", {"id": substrate})
