"""Receipts of destroyed substrates: every statement that touches `receipt`."""

from datetime import datetime

import msgspec

from shared.kernel.ids import AccountId, SubscriptionId, SubstrateId
from shared.plans import PlanId
from shared.registry.database import Tx


class Destroyed(msgspec.Struct, frozen=True, kw_only=True):
    """What was destroyed, in figures: nothing that was remembered, and no key."""

    atoms: int | None
    """As last observed; `null` when the server was never asked."""
    storage_bytes: int | None
    keys: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """That a substrate is gone."""

    substrate_id: SubstrateId
    slug: str
    """Never given to anybody again."""
    subscription_id: SubscriptionId
    plan: PlanId
    created_at: datetime
    asked_at: datetime
    """When the destruction was asked for, by hand or by the clock."""
    destroyed_at: datetime
    destroyed: Destroyed
    last_backup_ends_at: datetime | None
    """When the last backup of it is erased or can be opened no more; `null` when there is none."""


async def insert(tx: Tx, account: AccountId, receipt: Receipt) -> None:
    """The receipt, in the transaction that marks the substrate `deleted`."""
    await tx.run(
        """
        INSERT INTO receipt (substrate_id, account_id, destroyed_at, body)
        VALUES (:substrate, :account, :destroyed_at, :body)
        """,
        {
            "substrate": receipt.substrate_id,
            "account": account,
            "destroyed_at": receipt.destroyed_at,
            "body": receipt,
        },
    )


async def find(tx: Tx, substrate: SubstrateId) -> Receipt | None:
    """The receipt of one substrate."""
    body = await tx.value("SELECT body FROM receipt WHERE substrate_id = :id", {"id": substrate})
    return msgspec.convert(body, Receipt) if body else None
