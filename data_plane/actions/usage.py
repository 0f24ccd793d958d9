"""Usage: what counts against the plan's limits, and how near they are."""

from datetime import UTC, datetime

import msgspec

from data_plane.actions.memory import Memory
from data_plane.policy.caller import Caller
from data_plane.store import atom_table, tally_table
from data_plane.store.database import Tx
from shared.contracts.tenant_server import Usage
from shared.kernel.clock import iso

WARN_AT = (95, 80)
"""Percent of a limit from which on it is called near."""


class Meter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One limit."""

    used: int
    limit: int | None = None
    """Absent: unlimited."""
    percent: int | None = None
    warning: str | None = None
    """`over 80 %`, `over 95 %` or `full`."""
    resets_at: str | None = None

    @classmethod
    def of(cls, used: int, limit: int | None, resets_at: str | None = None) -> "Meter":
        """A meter with its percent and warning worked out."""
        if limit is None:
            return cls(used=used, resets_at=resets_at)
        percent = 100 * used // limit if limit else 100
        reached = next((f"over {mark} %" for mark in WARN_AT if percent >= mark), None)
        return cls(
            used=used,
            limit=limit,
            percent=percent,
            warning="full" if used >= limit else reached,
            resets_at=resets_at,
        )


class UsageView(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the plan."""

    plan: str
    month: str
    atoms: Meter
    storage_bytes: Meter
    bootstraps: Meter


async def count_usage(memory: Memory) -> Usage:
    """The numbers alone, as the provisioner asks for them."""
    now = memory.clock.now().astimezone(UTC)
    now_ms = memory.now_ms()

    def work(tx: Tx) -> tuple[int, int]:
        live = tally_table.get_tally(tx, tally_table.LIVE_ATOMS) - atom_table.count_expired(tx, now_ms)
        return live, tally_table.get_bytes_used(tx)

    atoms, storage = await memory.readers.read(work)
    return Usage(atoms=atoms, storage_bytes=storage, month=now.strftime("%Y-%m"))


async def show_usage(memory: Memory, caller: Caller) -> UsageView:
    """The numbers against the caller's plan."""
    used = await count_usage(memory)
    limits = caller.policy.limits
    return UsageView(
        plan=caller.policy.plan,
        month=used.month,
        atoms=Meter.of(used.atoms, limits.atoms),
        storage_bytes=Meter.of(used.storage_bytes, limits.storage_bytes),
        bootstraps=Meter.of(
            used.bootstraps, limits.bootstraps_per_month, resets_at=iso(_next_month(memory.clock.now()))
        ),
    )


def _next_month(now: datetime) -> datetime:
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)
