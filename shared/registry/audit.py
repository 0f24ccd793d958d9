"""Who did what, when: every statement that touches `audit`. Rows are added, never changed; a trigger holds it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.kernel.ids import AccountId, SubstrateId
from shared.registry.database import Tx


class ActorKind(StrEnum):
    """Who acts."""

    MEMBER = "member"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, for the record."""

    kind: ActorKind
    id: str


async def insert(
    tx: Tx,
    account: AccountId,
    actor: Actor,
    action: str,
    now: datetime,
    *,
    substrate: SubstrateId | None = None,
    **facts: Any,
) -> None:
    """One more row, in the transaction of the change it records. Facts hold no secret."""
    await tx.run(
        """
        INSERT INTO audit (account_id, at, actor_kind, actor_id, action, substrate_id, facts)
        VALUES (:account, :now, :kind, :actor, :action, :substrate, :facts)
        """,
        {
            "account": account,
            "now": now,
            "kind": actor.kind.value,
            "actor": actor.id,
            "action": action,
            "substrate": substrate,
            "facts": facts,
        },
    )
