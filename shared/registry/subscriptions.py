"""Subscriptions: every statement that touches `subscription`."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from shared.kernel.ids import AccountId, SubscriptionId
from shared.lifecycle.subscription import State
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
            INSERT INTO subscription (id, account_id, plan, terms, trial, state, created_at, period_ends_at, due_at)
            VALUES (:id, :account, :plan, :terms, :trial, :state, :created_at, :period_ends_at, :period_ends_at)
            """,
            {
                "id": subscription.id,
                "account": subscription.account,
                "plan": subscription.terms.id.value,
                "terms": subscription.terms,
                "trial": subscription.trial,
                "state": subscription.state.value,
                "created_at": subscription.created_at,
                "period_ends_at": subscription.period_ends_at,
            },
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "subscription_one_trial":
            raise TrialTaken from None
        raise


async def get(tx: Tx, subscription: SubscriptionId) -> Subscription:
    """One subscription."""
    row = await tx.row("SELECT * FROM subscription WHERE id = :id", {"id": subscription})
    if row is None:
        raise LookupError(subscription)
    return _subscription(row)


async def list_of(tx: Tx, account: AccountId) -> list[Subscription]:
    """An account's subscriptions, the newest first."""
    rows = await tx.rows(
        "SELECT * FROM subscription WHERE account_id = :account ORDER BY created_at DESC, id", {"account": account}
    )
    return [_subscription(row) for row in rows]


async def update_state(tx: Tx, subscription: SubscriptionId, *, was: State, becomes: State) -> bool:
    """Move on; `False` when somebody else has moved it meanwhile."""
    changed = await tx.run(
        "UPDATE subscription SET state = :becomes WHERE id = :id AND state = :was",
        {"id": subscription, "was": was.value, "becomes": becomes.value},
    )
    return changed == 1


def _subscription(row: Row) -> Subscription:
    return Subscription(
        id=row["id"],
        account=row["account_id"],
        terms=msgspec.convert(row["terms"], Plan),
        trial=row["trial"],
        state=State(row["state"]),
        created_at=row["created_at"],
        period_ends_at=row["period_ends_at"],
    )
