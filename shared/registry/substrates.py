"""Substrates: every statement that touches `substrate` and `substrate_usage`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.ids import AccountId, Slug, SubscriptionId, SubstrateId
from shared.lifecycle.substrate import Event, Status, after
from shared.lifecycle.transitions import TransitionRefused
from shared.plans import Plan
from shared.registry.database import Row, Tx


class Observed(StrEnum):
    """What the host was last seen to have, as opposed to what is wanted."""

    ABSENT = "absent"
    RUNNING = "running"
    UNKNOWN = "unknown"
    """A call to the outside began and its end was not seen."""


@dataclass(frozen=True, slots=True)
class Substrate:
    """One tenant's instance, with the terms it runs under."""

    id: SubstrateId
    account: AccountId
    subscription: SubscriptionId
    slug: Slug
    uid: int
    status: Status
    status_reason: str | None
    generation: int
    observed: Observed
    observed_generation: int
    terms: Plan
    created_at: datetime
    ready_at: datetime | None
    deleted_at: datetime | None

    @property
    def spec(self) -> TenantSpec:
        """What its server is started from."""
        return TenantSpec(
            substrate=self.id,
            slug=self.slug,
            uid=self.uid,
            placement=self.terms.placement,
            memory_mb=self.terms.memory_mb,
            cpus=self.terms.cpus,
            storage_bytes=self.terms.storage_bytes,
            generation=self.generation,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a substrate used when its server was last asked."""

    atoms: int
    storage_bytes: int
    bootstraps: int
    month: str
    last_request_at: datetime | None
    last_client: str | None
    observed_at: datetime


async def insert(
    tx: Tx, substrate: SubstrateId, account: AccountId, subscription: SubscriptionId, slug: Slug, now: datetime
) -> bool:
    """A new substrate, `provisioning`; `False` when the slug has been used before."""
    changed = await tx.run(
        """
        INSERT INTO substrate (id, account_id, subscription_id, slug, status, created_at)
        VALUES (:id, :account, :subscription, :slug, 'provisioning', :now)
        ON CONFLICT (slug) DO NOTHING
        """,
        {"id": substrate, "account": account, "subscription": subscription, "slug": slug, "now": now},
    )
    return changed == 1


async def find(tx: Tx, substrate: SubstrateId) -> Substrate | None:
    """One substrate."""
    row = await tx.row(
        """
        SELECT s.*, b.terms FROM substrate s JOIN subscription b ON b.id = s.subscription_id WHERE s.id = :id
        """,
        {"id": substrate},
    )
    return _substrate(row) if row else None


async def get(tx: Tx, substrate: SubstrateId) -> Substrate:
    """One substrate that must exist."""
    found = await find(tx, substrate)
    if found is None:
        raise LookupError(substrate)
    return found


async def claim(tx: Tx, substrate: SubstrateId) -> Substrate:
    """One substrate that must exist, locked until the transaction ends."""
    await tx.run("SELECT 1 FROM substrate WHERE id = :id FOR UPDATE", {"id": substrate})
    return await get(tx, substrate)


async def list_of(tx: Tx, account: AccountId) -> list[Substrate]:
    """An account's substrates, the newest first, deleted ones too."""
    rows = await tx.rows(
        """
        SELECT s.*, b.terms FROM substrate s JOIN subscription b ON b.id = s.subscription_id
         WHERE s.account_id = :account
         ORDER BY s.created_at DESC, s.id
        """,
        {"account": account},
    )
    return [_substrate(row) for row in rows]


async def list_up(tx: Tx) -> list[SubstrateId]:
    """Substrates whose server should run now: ready once, not deleted, and no operation is busy with them."""
    rows = await tx.rows(
        """
        SELECT s.id FROM substrate s
         WHERE s.status IN ('running', 'read_only', 'suspended')
           AND NOT EXISTS (SELECT 1 FROM operation o
                            WHERE o.substrate_id = s.id AND o.status IN ('queued', 'running')
                              AND o.kind <> 'revoke_key' AND o.held_until IS NULL)
         ORDER BY s.id
        """
    )
    return [row["id"] for row in rows]


async def find_living(tx: Tx, subscription: SubscriptionId) -> SubstrateId | None:
    """The substrate that a subscription is for, unless it is gone."""
    found: SubstrateId | None = await tx.value(
        "SELECT id FROM substrate WHERE subscription_id = :id AND status <> 'deleted' ORDER BY created_at DESC LIMIT 1",
        {"id": subscription},
    )
    return found


async def list_known(tx: Tx, among: list[SubstrateId]) -> list[SubstrateId]:
    """Which of these have a row, whatever their status."""
    rows = await tx.rows("SELECT id FROM substrate WHERE id = ANY(:among) ORDER BY id", {"among": among})
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class Watched:
    """A substrate whose server may run now, as far as a host must know to decide whether it should."""

    id: SubstrateId
    placement: Placement
    sleeps_after: timedelta
    observed: Observed
    generation: int


async def list_watched(tx: Tx) -> list[Watched]:
    """Substrates that are up, or asleep: ready once, not deleted, and no operation is busy with them."""
    rows = await tx.rows(
        """
        SELECT s.id, s.observed, s.generation, b.terms
          FROM substrate s JOIN subscription b ON b.id = s.subscription_id
         WHERE s.status IN ('running', 'read_only', 'suspended')
           AND NOT EXISTS (SELECT 1 FROM operation o
                            WHERE o.substrate_id = s.id AND o.status IN ('queued', 'running')
                              AND o.kind <> 'revoke_key' AND o.held_until IS NULL)
         ORDER BY s.id
        """
    )
    return [_watched(row) for row in rows]


async def list_to_halt(tx: Tx, _now: datetime, limit: int) -> list[SubstrateId]:
    """Substrates whose start has failed or was canceled after it may have begun to run a server."""
    rows = await tx.rows(
        """
        SELECT s.id FROM substrate s
         WHERE s.status = 'failed' AND s.observed <> 'absent'
           AND NOT EXISTS (SELECT 1 FROM operation o
                            WHERE o.substrate_id = s.id AND o.status IN ('queued', 'running')
                              AND o.kind <> 'revoke_key' AND o.held_until IS NULL)
         ORDER BY s.id
         LIMIT :limit
        """,
        {"limit": limit},
    )
    return [row["id"] for row in rows]


async def list_failed(tx: Tx, among: list[SubstrateId]) -> list[SubstrateId]:
    """Which of these have failed; a retried one is `provisioning` again."""
    rows = await tx.rows(
        "SELECT id FROM substrate WHERE id = ANY(:among) AND status = 'failed' ORDER BY id", {"among": among}
    )
    return [row["id"] for row in rows]


async def list_deleted(tx: Tx, among: list[SubstrateId]) -> list[SubstrateId]:
    """Which of these are deleted. Ones that the registry does not know are not: it may be an old backup."""
    rows = await tx.rows(
        "SELECT id FROM substrate WHERE id = ANY(:among) AND status = 'deleted' ORDER BY id", {"among": among}
    )
    return [row["id"] for row in rows]


async def update_status(
    tx: Tx, substrate: SubstrateId, event: Event, now: datetime, *, reason: str | None = None
) -> Status:
    """Follow the table from the status the row has, and store where it leads.

    Raises:
        TransitionRefused: the table has no such row, or somebody else moved it first.
    """
    was = Status(await tx.value("SELECT status FROM substrate WHERE id = :id FOR UPDATE", {"id": substrate}))
    becomes = after(was, event)
    changed = await tx.run(
        """
        UPDATE substrate
           SET status = :becomes,
               status_reason = :reason,
               ready_at = CASE WHEN :becomes = 'running' THEN coalesce(ready_at, :now) ELSE ready_at END,
               deleted_at = CASE WHEN :becomes = 'deleted' THEN :now ELSE deleted_at END
         WHERE id = :id AND status = :was
        """,
        {"id": substrate, "was": was.value, "becomes": becomes.value, "reason": reason, "now": now},
    )
    if changed != 1:
        raise TransitionRefused(shown={"machine": "substrate", "state": was.value, "event": event.value})
    return becomes


async def update_reason(tx: Tx, substrate: SubstrateId, reason: str) -> None:
    """Another reason for the status it has."""
    await tx.run("UPDATE substrate SET status_reason = :reason WHERE id = :id", {"id": substrate, "reason": reason})


async def update_observed(tx: Tx, substrate: SubstrateId, observed: Observed, generation: int) -> None:
    """Note what the host was seen to have."""
    await tx.run(
        "UPDATE substrate SET observed = :observed, observed_generation = :generation WHERE id = :id",
        {"id": substrate, "observed": observed.value, "generation": generation},
    )


async def find_usage(tx: Tx, substrate: SubstrateId) -> Usage | None:
    """What it used when last asked."""
    row = await tx.row("SELECT * FROM substrate_usage WHERE substrate_id = :id", {"id": substrate})
    if row is None:
        return None
    return Usage(
        atoms=row["atoms"],
        storage_bytes=row["storage_bytes"],
        bootstraps=row["bootstraps"],
        month=row["month"],
        last_request_at=row["last_request_at"],
        last_client=row["last_client"],
        observed_at=row["observed_at"],
    )


async def update_usage(tx: Tx, substrate: SubstrateId, usage: Usage) -> None:
    """Store a newer observation; an older one changes nothing."""
    await tx.run(
        """
        INSERT INTO substrate_usage
            (substrate_id, atoms, storage_bytes, bootstraps, month, last_request_at, last_client, observed_at)
        VALUES (:id, :atoms, :storage_bytes, :bootstraps, :month, :last_request_at, :last_client, :observed_at)
        ON CONFLICT (substrate_id) DO UPDATE
           SET atoms = excluded.atoms, storage_bytes = excluded.storage_bytes, bootstraps = excluded.bootstraps,
               month = excluded.month, last_request_at = excluded.last_request_at,
               last_client = excluded.last_client, observed_at = excluded.observed_at
         WHERE substrate_usage.observed_at < excluded.observed_at
        """,
        {
            "id": substrate,
            "atoms": usage.atoms,
            "storage_bytes": usage.storage_bytes,
            "bootstraps": usage.bootstraps,
            "month": usage.month,
            "last_request_at": usage.last_request_at,
            "last_client": usage.last_client,
            "observed_at": usage.observed_at,
        },
    )


async def delete_usage(tx: Tx, substrate: SubstrateId) -> None:
    """Forget what it used."""
    await tx.run("DELETE FROM substrate_usage WHERE substrate_id = :id", {"id": substrate})


def _watched(row: Row) -> Watched:
    terms = msgspec.convert(row["terms"], Plan)
    return Watched(
        id=row["id"],
        placement=terms.placement,
        sleeps_after=timedelta(minutes=terms.sleeps_after_minutes),
        observed=Observed(row["observed"]),
        generation=row["generation"],
    )


def _substrate(row: Row) -> Substrate:
    return Substrate(
        id=row["id"],
        account=row["account_id"],
        subscription=row["subscription_id"],
        slug=row["slug"],
        uid=row["uid"],
        status=Status(row["status"]),
        status_reason=row["status_reason"],
        generation=row["generation"],
        observed=Observed(row["observed"]),
        observed_generation=row["observed_generation"],
        terms=msgspec.convert(row["terms"], Plan),
        created_at=row["created_at"],
        ready_at=row["ready_at"],
        deleted_at=row["deleted_at"],
    )
