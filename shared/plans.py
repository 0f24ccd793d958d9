"""The one table of plans: pricing page, limits, documents and tests come from it.

An operator edits this file. A plan in use keeps its terms: a subscription stores the row it was taken under.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from shared.contracts.policy import Limits
from shared.contracts.tenant_spec import Placement
from shared.kernel.errors import AppError

MB: Final = 1024 * 1024
GB: Final = 1024 * MB
KB: Final = 1024


class PlanId(StrEnum):
    """The plans' names in the API."""

    STARTER = "starter"
    SOLO = "solo"
    PRO = "pro"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Excess:
    """How much more there is of something than a plan holds."""

    what: str
    used: int
    limit: int

    @property
    def words(self) -> str:
        """For its owner: what to remove."""
        return f"{self.used - self.limit:,} of {self.used:,} {self.what}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what a subscriber gets for the price."""

    id: PlanId
    price_cents: int
    """US cents a month."""
    atoms: int
    """Live atoms at one time."""
    bootstraps_per_month: int | None
    """Per calendar month in UTC; `None` is unlimited."""
    storage_bytes: int
    atom_bytes: int
    """UTF-8 bytes of one atom's content."""
    placement: Placement
    memory_mb: int
    cpus: float
    named_keys: int
    members: int
    sleeps_after_minutes: int = 15
    """Without a request for this long, a shared server sleeps until the next one. A dedicated one never does."""

    @property
    def limits(self) -> Limits:
        """What the tenant's server enforces of it."""
        return Limits(
            atoms=self.atoms,
            atom_bytes=self.atom_bytes,
            storage_bytes=self.storage_bytes,
            bootstraps_per_month=self.bootstraps_per_month,
        )

    def excess(self, *, atoms: int, storage_bytes: int, named_keys: int, members: int) -> tuple[Excess, ...]:
        """What does not fit. The size of one atom does not matter: those that are there stay as they are."""
        compared = (
            Excess("atoms", atoms, self.atoms),
            Excess("bytes of storage", storage_bytes, self.storage_bytes),
            Excess("keys", named_keys, self.named_keys),
            Excess("members", members, self.members),
        )
        return tuple(one for one in compared if one.used > one.limit)


class UnknownPlan(AppError):
    """No plan has this name."""

    code = "unknown_plan"
    status = 422
    public = "There is no plan “{plan}”."
    next_action = "Choose one from GET /v1/plans."


TRIAL_DAYS: Final = 14

CARRIED_WITHIN: Final = timedelta(minutes=1)
"""When the sweep carries the limits of a changed plan, should the program that changes it not have."""

PLANS: Final[dict[PlanId, Plan]] = {
    plan.id: plan
    for plan in (
        Plan(
            id=PlanId.STARTER,
            price_cents=300,
            atoms=1_000,
            bootstraps_per_month=200,
            storage_bytes=100 * MB,
            atom_bytes=4 * KB,
            placement=Placement.SHARED,
            memory_mb=256,
            cpus=0.5,
            named_keys=3,
            members=1,
        ),
        Plan(
            id=PlanId.SOLO,
            price_cents=900,
            atoms=10_000,
            bootstraps_per_month=1_000,
            storage_bytes=500 * MB,
            atom_bytes=16 * KB,
            placement=Placement.SHARED,
            memory_mb=384,
            cpus=0.5,
            named_keys=10,
            members=1,
        ),
        Plan(
            id=PlanId.PRO,
            price_cents=2_900,
            atoms=100_000,
            bootstraps_per_month=10_000,
            storage_bytes=2 * GB,
            atom_bytes=64 * KB,
            placement=Placement.SHARED,
            memory_mb=512,
            cpus=1,
            named_keys=25,
            members=3,
        ),
        Plan(
            id=PlanId.TEAM,
            price_cents=7_900,
            atoms=500_000,
            bootstraps_per_month=None,
            storage_bytes=10 * GB,
            atom_bytes=64 * KB,
            placement=Placement.DEDICATED,
            memory_mb=2048,
            cpus=2,
            named_keys=100,
            members=25,
        ),
    )
}


def get(name: str) -> Plan:
    """The plan of this name.

    Raises:
        UnknownPlan: there is none.
    """
    try:
        return PLANS[PlanId(name)]
    except ValueError:
        raise UnknownPlan(shown={"plan": name[:40]}) from None
