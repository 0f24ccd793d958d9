"""Operations: every statement that touches `operation`.

The row is the truth. A worker writes only under the lease it holds, and repeats the lease's number as a guard: once
another has taken it, the first one's writes change nothing and raise `LeaseLost`.

Whoever needs both rows locks the substrate's before the operation's, worker and control plane alike.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from shared.contracts.operations import CHANNEL_OPERATION, COURSES, Kind
from shared.kernel.errors import AppError
from shared.kernel.ids import AccountId, OperationId, SubstrateId
from shared.lifecycle.operation import ACTIVE, Event, Status
from shared.lifecycle.transitions import TransitionRefused
from shared.registry.database import Row, Tx


class OperationUnderWay(AppError):
    """The substrate has an operation that must end first."""

    code = "operation_under_way"
    status = 409
    public = "Another operation is under way on this substrate."
    next_action = "Wait until it has ended, or cancel it if it can be canceled."


class LeaseLost(Exception):
    """Another worker holds the operation now; this one must stop without a trace."""


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step that has begun, as progress shows it."""

    name: str
    started_at: datetime
    finished_at: datetime | None = None
    waiting_for: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an operation failed, in words for its owner."""

    code: str
    detail: str
    next_action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One piece of work and how far it has got."""

    id: OperationId
    kind: Kind
    account: AccountId
    substrate: SubstrateId
    status: Status
    step: str | None
    steps: tuple[StepRecord, ...]
    attempts: int
    """How often the current step has been tried."""
    error: Failure | None
    facts: dict[str, Any] = field(default_factory=dict)
    created_at: datetime
    due_at: datetime
    deadline_at: datetime
    finished_at: datetime | None
    held_until: datetime | None = None
    """Asked for and not begun: until then it can be undone."""

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.status in ACTIVE

    @property
    def cancellable(self) -> bool:
        """Whether its owner may cancel it now."""
        return self.active and (self.held_until is not None or COURSES[self.kind].cancellable)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write to an operation, until somebody else takes it."""

    operation: OperationId
    owner: str
    number: int


async def insert(
    tx: Tx,
    operation: OperationId,
    kind: Kind,
    account: AccountId,
    substrate: SubstrateId,
    now: datetime,
    *,
    facts: dict[str, Any] | None = None,
    held_until: datetime | None = None,
) -> None:
    """A new operation, due at once; or held, so that it can be undone until somebody releases it.

    Raises:
        OperationUnderWay: the substrate has an active one. The transaction is lost.
    """
    try:
        await tx.run(
            """
            INSERT INTO operation (id, kind, account_id, substrate_id, status, created_at, due_at, deadline_at, facts,
                                   held_until)
            VALUES (:id, :kind, :account, :substrate, 'queued', :now, :due, :deadline, :facts, :held_until)
            """,
            {
                "id": operation,
                "kind": kind.value,
                "account": account,
                "substrate": substrate,
                "now": now,
                "due": held_until or now,
                "deadline": (held_until or now) + COURSES[kind].deadline,
                "facts": facts or {},
                "held_until": held_until,
            },
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "operation_one_active":
            raise OperationUnderWay(substrate=substrate) from None
        raise


async def find(tx: Tx, operation: OperationId) -> Operation | None:
    """One operation."""
    row = await tx.row("SELECT * FROM operation WHERE id = :id", {"id": operation})
    return _operation(row) if row else None


async def get(tx: Tx, operation: OperationId) -> Operation:
    """One operation that must exist."""
    found = await find(tx, operation)
    if found is None:
        raise LookupError(operation)
    return found


async def list_of(tx: Tx, substrate: SubstrateId) -> list[Operation]:
    """A substrate's operations, the newest first."""
    rows = await tx.rows(
        "SELECT * FROM operation WHERE substrate_id = :id ORDER BY created_at DESC, id", {"id": substrate}
    )
    return [_operation(row) for row in rows]


async def find_active(tx: Tx, substrate: SubstrateId) -> Operation | None:
    """The one operation that is under way (followed revocations and what is held do not count)."""
    row = await tx.row(
        """
        SELECT * FROM operation
         WHERE substrate_id = :id AND status IN ('queued', 'running') AND kind <> 'revoke_key' AND held_until IS NULL
           FOR UPDATE
        """,
        {"id": substrate},
    )
    return _operation(row) if row else None


async def find_newest_active(tx: Tx, substrate: SubstrateId) -> Operation | None:
    """As `find_active`, for showing: without a lock."""
    row = await tx.row(
        """
        SELECT * FROM operation
         WHERE substrate_id = :id AND status IN ('queued', 'running') AND kind <> 'revoke_key' AND held_until IS NULL
        """,
        {"id": substrate},
    )
    return _operation(row) if row else None


async def find_held(tx: Tx, substrate: SubstrateId) -> Operation | None:
    """The deletion that can still be undone."""
    row = await tx.row(
        "SELECT * FROM operation WHERE substrate_id = :id AND status = 'queued' AND held_until IS NOT NULL",
        {"id": substrate},
    )
    return _operation(row) if row else None


async def list_held_over(tx: Tx, now: datetime, limit: int) -> list[SubstrateId]:
    """Substrates whose deletion can be undone no more, the longest first."""
    rows = await tx.rows(
        """
        SELECT substrate_id FROM operation
         WHERE status = 'queued' AND held_until <= :now
         ORDER BY held_until
         LIMIT :limit
        """,
        {"now": now, "limit": limit},
    )
    return [row["substrate_id"] for row in rows]


async def update_released(tx: Tx, operation: OperationId, now: datetime, deadline: datetime) -> bool:
    """What was held is due now; `False` when it was undone or released before.

    Nothing else may be under way on the substrate.
    """
    changed = await tx.run(
        """
        UPDATE operation SET held_until = NULL, due_at = :now, deadline_at = :deadline
         WHERE id = :id AND status = 'queued' AND held_until IS NOT NULL
        """,
        {"id": operation, "now": now, "deadline": deadline},
    )
    if changed:
        await tx.notify(CHANNEL_OPERATION, operation)
    return changed == 1


async def list_due(tx: Tx, now: datetime, limit: int) -> list[OperationId]:
    """Operations that are due and that nobody holds, the longest due first."""
    rows = await tx.rows(
        """
        SELECT id FROM operation
         WHERE status IN ('queued', 'running') AND due_at <= :now AND held_until IS NULL
           AND (lease_until IS NULL OR lease_until <= :now)
         ORDER BY due_at
         LIMIT :limit
        """,
        {"now": now, "limit": limit},
    )
    return [row["id"] for row in rows]


async def claim_lease(
    tx: Tx, operation: OperationId, owner: str, now: datetime, until: datetime
) -> tuple[Operation, Lease] | None:
    """Take the lease of a due operation; `None` when it is not due, ended, or held by another."""
    row = await tx.row(
        """
        UPDATE operation
           SET status = 'running', lease_owner = :owner, lease_number = lease_number + 1, lease_until = :until
         WHERE id = :id AND status IN ('queued', 'running') AND due_at <= :now AND held_until IS NULL
           AND (lease_until IS NULL OR lease_until <= :now)
        RETURNING *
        """,
        {"id": operation, "owner": owner, "now": now, "until": until},
    )
    if row is None:
        return None
    await tx.notify(CHANNEL_OPERATION, operation)
    return _operation(row), Lease(operation, owner, row["lease_number"])


async def update_lease(tx: Tx, lease: Lease, until: datetime) -> None:
    """Keep the lease longer, or raise `LeaseLost`."""
    await _guarded(
        tx,
        """
        UPDATE operation SET lease_until = :until
         WHERE id = :id AND lease_number = :number AND status = 'running'
        """,
        lease,
        {"until": until},
    )


async def get_guarded(tx: Tx, lease: Lease) -> None:
    """Hold the row until the transaction ends, or raise `LeaseLost`: guards writes to other tables.

    The substrate's row is held too, and first.
    """
    await _claim_substrate(tx, lease)
    found = await tx.value(
        "SELECT 1 FROM operation WHERE id = :id AND lease_number = :number AND status = 'running' FOR UPDATE",
        {"id": lease.operation, "number": lease.number},
    )
    if found is None:
        raise LeaseLost(lease.operation)


async def update_progress(tx: Tx, lease: Lease, *, step: str, steps: tuple[StepRecord, ...], attempts: int) -> None:
    """Note the step that runs now, or raise `LeaseLost`."""
    await _guarded(
        tx,
        """
        UPDATE operation SET step = :step, steps = :steps, attempts = :attempts
         WHERE id = :id AND lease_number = :number AND status = 'running'
        """,
        lease,
        {"step": step, "steps": steps, "attempts": attempts},
    )


async def update_paused(tx: Tx, lease: Lease, due_at: datetime) -> None:
    """Give the lease back until `due_at`, or raise `LeaseLost`."""
    await _guarded(
        tx,
        """
        UPDATE operation SET due_at = :due_at, lease_owner = NULL, lease_until = NULL
         WHERE id = :id AND lease_number = :number AND status = 'running'
        """,
        lease,
        {"due_at": due_at},
    )


async def update_ended(
    tx: Tx, lease: Lease, status: Status, now: datetime, *, steps: tuple[StepRecord, ...], error: Failure | None
) -> None:
    """End it and give the lease back, or raise `LeaseLost`.

    The substrate's row is held too, and first: what the end means for it is written in the same transaction.
    """
    await _claim_substrate(tx, lease)
    await _guarded(
        tx,
        """
        UPDATE operation
           SET status = :status, finished_at = :now, steps = :steps, error = :error,
               lease_owner = NULL, lease_until = NULL
         WHERE id = :id AND lease_number = :number AND status = 'running'
        """,
        lease,
        {"status": status.value, "now": now, "steps": steps, "error": error},
    )


async def update_canceled(tx: Tx, operation: OperationId, now: datetime) -> bool:
    """Cancel an active operation; whoever holds its lease loses it. `False` when it has ended already."""
    changed = await tx.run(
        """
        UPDATE operation
           SET status = 'canceled', finished_at = :now, held_until = NULL, lease_number = lease_number + 1,
               lease_owner = NULL, lease_until = NULL
         WHERE id = :id AND status IN ('queued', 'running')
        """,
        {"id": operation, "now": now},
    )
    if changed:
        await tx.notify(CHANNEL_OPERATION, operation)
    return changed == 1


async def update_retried(tx: Tx, operation: OperationId, now: datetime, deadline: datetime) -> None:
    """Begin a failed or canceled operation anew, from its first step.

    Raises:
        OperationUnderWay: the substrate has an active one. The transaction is lost.
        TransitionRefused: somebody else has moved it meanwhile.
    """
    try:
        changed = await tx.run(
            """
            UPDATE operation
               SET status = 'queued', step = NULL, steps = '[]', attempts = 0, error = NULL, finished_at = NULL,
                   due_at = :now, deadline_at = :deadline, lease_number = lease_number + 1,
                   lease_owner = NULL, lease_until = NULL
             WHERE id = :id AND status IN ('failed', 'canceled')
            """,
            {"id": operation, "now": now, "deadline": deadline},
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "operation_one_active":
            raise OperationUnderWay(operation=operation) from None
        raise
    if changed != 1:
        words = {"machine": "operation", "state": "under way", "event": Event.RETRIED.value}
        raise TransitionRefused(shown=words, operation=operation)
    await tx.notify(CHANNEL_OPERATION, operation)


async def update_followed_revocations(tx: Tx, substrate: SubstrateId, order: tuple[int, int], now: datetime) -> None:
    """End the followed revocations whose policy has been acknowledged."""
    rows = await tx.rows(
        """
        UPDATE operation SET status = 'succeeded', finished_at = :now
         WHERE substrate_id = :id AND kind = 'revoke_key' AND status IN ('queued', 'running')
           AND ((facts->>'epoch')::int, (facts->>'generation')::int) <= (:epoch, :generation)
        RETURNING id
        """,
        {"id": substrate, "now": now, "epoch": order[0], "generation": order[1]},
    )
    for row in rows:
        await tx.notify(CHANNEL_OPERATION, row["id"])


async def _claim_substrate(tx: Tx, lease: Lease) -> None:
    await tx.run(
        """
        SELECT 1 FROM substrate WHERE id = (SELECT substrate_id FROM operation WHERE id = :id) FOR UPDATE
        """,
        {"id": lease.operation},
    )


async def _guarded(tx: Tx, sql: str, lease: Lease, values: dict[str, Any]) -> None:
    changed = await tx.run(sql, {"id": lease.operation, "number": lease.number, **values})
    if changed != 1:
        raise LeaseLost(lease.operation)
    await tx.notify(CHANNEL_OPERATION, lease.operation)


def _operation(row: Row) -> Operation:
    return Operation(
        id=row["id"],
        kind=Kind(row["kind"]),
        account=row["account_id"],
        substrate=row["substrate_id"],
        status=Status(row["status"]),
        step=row["step"],
        steps=tuple(msgspec.convert(row["steps"], list[StepRecord])),
        attempts=row["attempts"],
        error=msgspec.convert(row["error"], Failure) if row["error"] else None,
        facts=row["facts"],
        created_at=row["created_at"],
        due_at=row["due_at"],
        deadline_at=row["deadline_at"],
        finished_at=row["finished_at"],
        held_until=row["held_until"],
    )
