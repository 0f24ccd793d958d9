"""What a host can hold and what it holds: every statement that touches `host`.

What is taken is no counter but the sum of the terms of all substrates that are not deleted. So a changed plan is
counted the moment its terms are stored, and destroying gives room back without anybody having to say so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.contracts.tenant_spec import Placement
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.plans import Plan
from shared.registry.database import Tx

HOST: Final = "local"
"""The one host there is; tenants are placed by name once there are more."""


class CapacityExhausted(AppError):
    """The host is full for this plan: nothing was created and no trial was used."""

    code = "capacity_exhausted"
    status = 503
    public = "There is no room left for the plan “{plan}” right now: {lacking}. Nothing was created."
    next_action = "Choose a smaller plan or try again later; the operator can add capacity (see `loam capacity`)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a host declares; `None` is not limited."""

    shared_memory_mb: int | None = None
    overcommit: float = 1.0
    """Shared tenants may be promised this many times the memory there is for them: most of them sleep."""
    dedicated_memory_mb: int | None = None
    dedicated_cpus: float | None = None
    awake_tenants: int | None = None
    disk_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the substrates that are not deleted were promised."""

    shared_memory_mb: int
    dedicated_memory_mb: int
    dedicated_cpus: float
    dedicated_tenants: int
    """They never sleep, so each takes one of the tenants that may be awake."""
    disk_bytes: int
    tenants: int


@dataclass(frozen=True, slots=True)
class Room:
    """One thing that may run out."""

    name: str
    taken: float
    limit: float

    @property
    def lacks(self) -> bool:
        """Whether more is promised than there is."""
        return self.taken > self.limit


async def reserve(tx: Tx, plan: Plan, *, replacing: SubstrateId | None = None) -> None:
    """Make sure that there is room for one more substrate of this plan, and keep others from taking it meanwhile.

    Call it before the substrate is inserted, or, with `replacing`, before its terms change: what it has is then not
    counted. The host's row stays locked until the transaction ends. What is taken is given back by `deleted` alone.

    Raises:
        CapacityExhausted: there is none; the transaction should end here.
    """
    await tx.run("SELECT 1 FROM host WHERE id = :id FOR UPDATE", {"id": HOST})
    taken = _with(await get_taken(tx, apart_from=replacing), plan)
    lacking = [room.name for room in rooms(await get_declared(tx), taken) if room.lacks and _concerns(room, plan)]
    if lacking:
        raise CapacityExhausted(shown={"plan": plan.id.value, "lacking": ", ".join(lacking)})


def rooms(declared: Capacity, taken: Taken) -> list[Room]:
    """Everything that is limited, with what is taken of it."""
    shared = None if declared.shared_memory_mb is None else declared.shared_memory_mb * declared.overcommit
    found = (
        ("memory for shared tenants", taken.shared_memory_mb, shared),
        ("memory for dedicated tenants", taken.dedicated_memory_mb, declared.dedicated_memory_mb),
        ("CPUs for dedicated tenants", taken.dedicated_cpus, declared.dedicated_cpus),
        ("tenants that are always awake", taken.dedicated_tenants, declared.awake_tenants),
        ("disk", taken.disk_bytes, declared.disk_bytes),
    )
    return [Room(name, amount, limit) for name, amount, limit in found if limit is not None]


async def get_declared(tx: Tx) -> Capacity:
    """What the host declares."""
    row = await tx.row("SELECT * FROM host WHERE id = :id", {"id": HOST})
    if row is None:
        return Capacity()
    return Capacity(
        shared_memory_mb=row["shared_memory_mb"],
        overcommit=row["overcommit"],
        dedicated_memory_mb=row["dedicated_memory_mb"],
        dedicated_cpus=row["dedicated_cpus"],
        awake_tenants=row["awake_tenants"],
        disk_bytes=row["disk_bytes"],
    )


async def update_declared(tx: Tx, declared: Capacity, now: datetime) -> None:
    """What a worker of the host says when it starts. Declaring less than is taken refuses newcomers and nobody else."""
    await tx.run(
        """
        INSERT INTO host (id, shared_memory_mb, overcommit, dedicated_memory_mb, dedicated_cpus, awake_tenants,
                          disk_bytes, declared_at)
        VALUES (:id, :shared_memory_mb, :overcommit, :dedicated_memory_mb, :dedicated_cpus, :awake_tenants,
                :disk_bytes, :now)
        ON CONFLICT (id) DO UPDATE
           SET shared_memory_mb = excluded.shared_memory_mb, overcommit = excluded.overcommit,
               dedicated_memory_mb = excluded.dedicated_memory_mb, dedicated_cpus = excluded.dedicated_cpus,
               awake_tenants = excluded.awake_tenants, disk_bytes = excluded.disk_bytes,
               declared_at = excluded.declared_at
        """,
        {
            "id": HOST,
            "shared_memory_mb": declared.shared_memory_mb,
            "overcommit": declared.overcommit,
            "dedicated_memory_mb": declared.dedicated_memory_mb,
            "dedicated_cpus": declared.dedicated_cpus,
            "awake_tenants": declared.awake_tenants,
            "disk_bytes": declared.disk_bytes,
            "now": now,
        },
    )


async def get_taken(tx: Tx, *, apart_from: SubstrateId | None = None) -> Taken:
    """What is promised to everybody (else)."""
    row = await tx.row(
        """
        SELECT coalesce(sum((b.terms->>'memory_mb')::bigint)
                            FILTER (WHERE b.terms->>'placement' = 'shared'), 0)::bigint AS shared_memory_mb,
               coalesce(sum((b.terms->>'memory_mb')::bigint)
                            FILTER (WHERE b.terms->>'placement' = 'dedicated'), 0)::bigint AS dedicated_memory_mb,
               coalesce(sum((b.terms->>'cpus')::float8)
                            FILTER (WHERE b.terms->>'placement' = 'dedicated'), 0)::float8 AS dedicated_cpus,
               count(*) FILTER (WHERE b.terms->>'placement' = 'dedicated') AS dedicated_tenants,
               coalesce(sum((b.terms->>'storage_bytes')::bigint), 0)::bigint AS disk_bytes,
               count(*) AS tenants
          FROM substrate s JOIN subscription b ON b.id = s.subscription_id
         WHERE s.status <> 'deleted' AND s.id IS DISTINCT FROM :apart_from
        """,
        {"apart_from": apart_from},
    )
    if row is None:
        raise LookupError("a sum has one row")
    return Taken(**dict(row))


def _with(taken: Taken, plan: Plan) -> Taken:
    dedicated = plan.placement is Placement.DEDICATED
    return Taken(
        shared_memory_mb=taken.shared_memory_mb + (0 if dedicated else plan.memory_mb),
        dedicated_memory_mb=taken.dedicated_memory_mb + (plan.memory_mb if dedicated else 0),
        dedicated_cpus=taken.dedicated_cpus + (plan.cpus if dedicated else 0),
        dedicated_tenants=taken.dedicated_tenants + (1 if dedicated else 0),
        disk_bytes=taken.disk_bytes + plan.storage_bytes,
        tenants=taken.tenants + 1,
    )


def _concerns(room: Room, plan: Plan) -> bool:
    """A host that is full for one placement may have room for the other."""
    other = "shared tenants" if plan.placement is Placement.DEDICATED else "dedicated tenants"
    awake = plan.placement is Placement.SHARED and room.name == "tenants that are always awake"
    return other not in room.name and not awake
