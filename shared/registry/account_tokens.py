"""Bearer tokens of the control plane's API: every statement that touches `account_token`."""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.ids import AccountId, MemberId, TokenId
from shared.registry.database import Tx


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a good token speaks for."""

    token: TokenId
    member: MemberId
    account: AccountId
    role: str


async def insert(
    tx: Tx, token: TokenId, member: MemberId, digest: bytes, *, created_at: datetime, expires_at: datetime
) -> None:
    """A new token; only its SHA-256 is kept."""
    await tx.run(
        """
        INSERT INTO account_token (id, member_id, digest, created_at, expires_at)
        VALUES (:id, :member, :digest, :created_at, :expires_at)
        """,
        {"id": token, "member": member, "digest": digest, "created_at": created_at, "expires_at": expires_at},
    )


async def find(tx: Tx, digest: bytes, now: datetime) -> Bearer | None:
    """Whom the token with this digest speaks for, while it is good and the account is open."""
    row = await tx.row(
        """
        SELECT t.id, m.id AS member, m.account_id AS account, m.role
          FROM account_token t
          JOIN member m ON m.id = t.member_id
          JOIN account a ON a.id = m.account_id
         WHERE t.digest = :digest AND t.expires_at > :now AND t.ended_at IS NULL AND a.closed_at IS NULL
        """,
        {"digest": digest, "now": now},
    )
    return Bearer(row["id"], row["member"], row["account"], row["role"]) if row else None


async def update_ended(tx: Tx, token: TokenId, now: datetime) -> None:
    """End a token: log out."""
    await tx.run("UPDATE account_token SET ended_at = :now WHERE id = :id", {"id": token, "now": now})
