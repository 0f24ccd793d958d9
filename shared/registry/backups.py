"""Backups of tenants' memories: every statement that touches `backup` and `backup_schedule`."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.backups import Reason, State, StoreKind
from shared.kernel.ids import BackupId, SubstrateId
from shared.registry.database import Row, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One copy of a memory, encrypted."""

    id: BackupId
    substrate: SubstrateId
    key: str
    reason: Reason
    state: State
    store: StoreKind
    object: str
    bytes: int
    """As it is kept: compressed and encrypted."""
    memory_bytes: int
    sha256: str
    created_at: datetime


async def insert(tx: Tx, backup: Backup) -> None:
    """A backup that is ready; noted again after a crash, it is as it was noted last."""
    await tx.run(
        """
        INSERT INTO backup (id, substrate_id, key_id, reason, state, store, object, bytes, memory_bytes, sha256,
                            created_at)
        VALUES (:id, :substrate, :key, :reason, :state, :store, :object, :bytes, :memory_bytes, :checksum, :created_at)
        ON CONFLICT (id) DO UPDATE
           SET state = excluded.state, bytes = excluded.bytes, memory_bytes = excluded.memory_bytes,
               sha256 = excluded.sha256, created_at = excluded.created_at, key_id = excluded.key_id,
               store = excluded.store
        """,
        {
            "id": backup.id,
            "substrate": backup.substrate,
            "key": backup.key,
            "reason": backup.reason.value,
            "state": backup.state.value,
            "store": backup.store.value,
            "object": backup.object,
            "bytes": backup.bytes,
            "memory_bytes": backup.memory_bytes,
            "checksum": backup.sha256,
            "created_at": backup.created_at,
        },
    )


async def find(tx: Tx, substrate: SubstrateId, backup: BackupId) -> Backup | None:
    """One of a substrate's backups."""
    row = await tx.row(
        "SELECT * FROM backup WHERE id = :id AND substrate_id = :substrate", {"id": backup, "substrate": substrate}
    )
    return _backup(row) if row else None


async def list_ready(tx: Tx, substrate: SubstrateId) -> list[Backup]:
    """A substrate's backups that can be restored, the newest first."""
    rows = await tx.rows(
        """
        SELECT * FROM backup WHERE substrate_id = :substrate AND state = 'ready' ORDER BY created_at DESC, id
        """,
        {"substrate": substrate},
    )
    return [_backup(row) for row in rows]


async def list_leaving(tx: Tx, limit: int) -> list[Backup]:
    """Backups whose objects are still to be removed."""
    rows = await tx.rows(
        "SELECT * FROM backup WHERE state = 'leaving' ORDER BY created_at LIMIT :limit", {"limit": limit}
    )
    return [_backup(row) for row in rows]


async def update_leaving(tx: Tx, substrate: SubstrateId, leaving: list[BackupId]) -> None:
    """Nobody may use these from now on."""
    await tx.run(
        """
        UPDATE backup SET state = 'leaving' WHERE substrate_id = :substrate AND state = 'ready' AND id = ANY(:ids)
        """,
        {"substrate": substrate, "ids": leaving},
    )


async def update_all_leaving(tx: Tx, substrate: SubstrateId) -> None:
    """Nobody may use any of a substrate's backups from now on: it is destroyed, and so is its key."""
    await tx.run("UPDATE backup SET state = 'leaving' WHERE substrate_id = :id AND state = 'ready'", {"id": substrate})
    await tx.run("DELETE FROM backup_schedule WHERE substrate_id = :id", {"id": substrate})


async def update_gone(tx: Tx, backup: BackupId) -> None:
    """Its object was removed."""
    await tx.run("UPDATE backup SET state = 'gone' WHERE id = :id AND state = 'leaving'", {"id": backup})


async def list_due(tx: Tx, now: datetime, limit: int) -> list[SubstrateId]:
    """Substrates that should be backed up now and have nothing else under way, the longest due first."""
    rows = await tx.rows(
        """
        SELECT s.id FROM substrate s LEFT JOIN backup_schedule b ON b.substrate_id = s.id
         WHERE s.status IN ('running', 'read_only', 'suspended') AND (b.due_at IS NULL OR b.due_at <= :now)
           AND NOT EXISTS (SELECT 1 FROM operation o
                            WHERE o.substrate_id = s.id AND o.status IN ('queued', 'running')
                              AND o.kind <> 'revoke_key' AND o.held_until IS NULL)
         ORDER BY b.due_at NULLS FIRST, s.id
         LIMIT :limit
        """,
        {"now": now, "limit": limit},
    )
    return [row["id"] for row in rows]


async def find_due_at(tx: Tx, substrate: SubstrateId) -> datetime | None:
    """When it is backed up next; `None` when nobody has looked yet."""
    found: datetime | None = await tx.value(
        "SELECT due_at FROM backup_schedule WHERE substrate_id = :id", {"id": substrate}
    )
    return found


async def update_due_at(tx: Tx, substrate: SubstrateId, due_at: datetime) -> None:
    """When it is backed up next."""
    await tx.run(
        """
        INSERT INTO backup_schedule (substrate_id, due_at) VALUES (:id, :due_at)
        ON CONFLICT (substrate_id) DO UPDATE SET due_at = excluded.due_at
        """,
        {"id": substrate, "due_at": due_at},
    )


def _backup(row: Row) -> Backup:
    return Backup(
        id=row["id"],
        substrate=row["substrate_id"],
        key=row["key_id"],
        reason=Reason(row["reason"]),
        state=State(row["state"]),
        store=StoreKind(row["store"]),
        object=row["object"],
        bytes=row["bytes"],
        memory_bytes=row["memory_bytes"],
        sha256=row["sha256"],
        created_at=row["created_at"],
    )
