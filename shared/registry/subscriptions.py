"""Subscriptions: every statement that touches `subscription`."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from shared.kernel.ids import AccountId, SubscriptionId
from shared.lifecycle.subscription import State
from shared.lifecycle.subscription_times import Standing
from shared.plans import Plan
from shared.registry.database import Row, Tx


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an account pays for, under the terms it was taken."""

    id: SubscriptionId
    account: AccountId
    terms: Plan
    trial: bool
    state: State
    created_at: datetime
    period_ends_at: datetime
    state_since: datetime
    due_at: datetime | None = None
    """When the clock does the next thing to it; nothing is to come once its destruction has begun."""
    canceled_from: State | None = None
    """What it was before it was canceled."""

    def standing(self, restricted_since: datetime | None) -> Standing:
        """Where it stands, for the clock."""
        return Standing(
            state=self.state,
            since=self.state_since,
            period_ends_at=self.period_ends_at,
            restricted_since=restricted_since,
        )


class TrialTaken(Exception):
    """The account has had its one trial."""


async def insert(tx: Tx, subscription: Subscription) -> None:
    """A new subscription.

    Raises:
        TrialTaken: it is a trial, and the account has had one.
    """
    try:
        await tx.run(
            """
            INSERT INTO subscription (id, account_id, plan, terms, trial, state, created_at, state_since,
                                      period_ends_at, due_at)
            VALUES (:id, :account, :plan, :terms, :trial, :state, :created_at, :state_since, :period_ends_at,
                    :period_ends_at)
            """,
            {
                "id": subscription.id,
                "account": subscription.account,
                "plan": subscription.terms.id.value,
                "terms": subscription.terms,
                "trial": subscription.trial,
                "state": subscription.state.value,
                "created_at": subscription.created_at,
                "state_since": subscription.state_since,
                "period_ends_at": subscription.period_ends_at,
            },
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "subscription_one_trial":
            raise TrialTaken from None
        raise


async def find(tx: Tx, subscription: SubscriptionId) -> Subscription | None:
    """One subscription."""
    row = await tx.row("SELECT * FROM subscription WHERE id = :id", {"id": subscription})
    return _subscription(row) if row else None


async def get(tx: Tx, subscription: SubscriptionId) -> Subscription:
    """One subscription that must exist."""
    found = await find(tx, subscription)
    if found is None:
        raise LookupError(subscription)
    return found


async def claim(tx: Tx, subscription: SubscriptionId) -> Subscription:
    """One that must exist, locked until the transaction ends. Whoever locks its substrate too does that first."""
    await tx.run("SELECT 1 FROM subscription WHERE id = :id FOR UPDATE", {"id": subscription})
    return await get(tx, subscription)


async def list_due(tx: Tx, now: datetime, limit: int) -> list[SubscriptionId]:
    """Subscriptions to which the clock does something now, the longest due first."""
    rows = await tx.rows(
        "SELECT id FROM subscription WHERE due_at <= :now ORDER BY due_at, id LIMIT :limit",
        {"now": now, "limit": limit},
    )
    return [row["id"] for row in rows]


async def list_of(tx: Tx, account: AccountId) -> list[Subscription]:
    """An account's subscriptions, the newest first."""
    rows = await tx.rows(
        "SELECT * FROM subscription WHERE account_id = :account ORDER BY created_at DESC, id", {"account": account}
    )
    return [_subscription(row) for row in rows]


async def update_state(tx: Tx, subscription: SubscriptionId, *, was: State, becomes: State, now: datetime) -> bool:
    """Move on; `False` when somebody else has moved it meanwhile. What the clock does next is set apart."""
    changed = await tx.run(
        """
        UPDATE subscription
           SET state = :becomes,
               state_since = CASE WHEN state = :becomes THEN state_since ELSE :now END,
               canceled_from = CASE WHEN :becomes = 'canceled' THEN :was ELSE NULL END,
               due_at = NULL
         WHERE id = :id AND state = :was
        """,
        {"id": subscription, "was": was.value, "becomes": becomes.value, "now": now},
    )
    return changed == 1


async def update_due(tx: Tx, subscription: SubscriptionId, due_at: datetime | None) -> None:
    """When the clock does the next thing to it."""
    await tx.run("UPDATE subscription SET due_at = :due WHERE id = :id", {"id": subscription, "due": due_at})


async def update_period(tx: Tx, subscription: SubscriptionId, period_ends_at: datetime) -> None:
    """What is paid lasts until then."""
    await tx.run(
        "UPDATE subscription SET period_ends_at = :ends WHERE id = :id", {"id": subscription, "ends": period_ends_at}
    )


async def update_terms(tx: Tx, subscription: SubscriptionId, terms: Plan) -> None:
    """Another plan, as its row is now."""
    await tx.run(
        "UPDATE subscription SET plan = :plan, terms = :terms WHERE id = :id",
        {"id": subscription, "plan": terms.id.value, "terms": terms},
    )


def _subscription(row: Row) -> Subscription:
    return Subscription(
        id=row["id"],
        account=row["account_id"],
        terms=msgspec.convert(row["terms"], Plan),
        trial=row["trial"],
        state=State(row["state"]),
        created_at=row["created_at"],
        period_ends_at=row["period_ends_at"],
        state_since=row["state_since"],
        due_at=row["due_at"],
        canceled_from=State(row["canceled_from"]) if row["canceled_from"] else None,
    )
