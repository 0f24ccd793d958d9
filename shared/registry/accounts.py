"""Accounts and their members: every statement that touches `account` and `member`."""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.ids import AccountId, MemberId
from shared.registry.database import Row, Tx


@dataclass(frozen=True, slots=True)
class Member:
    """A person who logs in. `password_hash` is argon2id's own text form."""

    id: MemberId
    account: AccountId
    email: str
    password_hash: str
    role: str
    created_at: datetime
    email_confirmed_at: datetime | None = None

    def __repr__(self) -> str:
        """Without address and hash, so that no log holds them."""
        return f"Member(id={self.id!r}, account={self.account!r})"


async def insert(tx: Tx, account: AccountId, now: datetime) -> None:
    """A new account."""
    await tx.run("INSERT INTO account (id, created_at) VALUES (:id, :now)", {"id": account, "now": now})


async def insert_member(tx: Tx, member: Member) -> bool:
    """A new member; `False` when the mail address has one already."""
    changed = await tx.run(
        """
        INSERT INTO member (id, account_id, email, password_hash, role, created_at)
        VALUES (:id, :account, :email, :password_hash, :role, :created_at)
        ON CONFLICT (email) DO NOTHING
        """,
        {
            "id": member.id,
            "account": member.account,
            "email": member.email,
            "password_hash": member.password_hash,
            "role": member.role,
            "created_at": member.created_at,
        },
    )
    return changed == 1


async def find_member_by_email(tx: Tx, email: str) -> Member | None:
    """The member with this (lower-case) mail address."""
    row = await tx.row("SELECT * FROM member WHERE email = :email", {"email": email})
    return _member(row) if row else None


async def find_member(tx: Tx, member: MemberId) -> Member | None:
    """One member."""
    row = await tx.row("SELECT * FROM member WHERE id = :id", {"id": member})
    return _member(row) if row else None


async def count_members(tx: Tx, account: AccountId) -> int:
    """How many people log in for an account."""
    found: int = await tx.value("SELECT count(*) FROM member WHERE account_id = :account", {"account": account})
    return found


async def update_email_confirmed(tx: Tx, member: MemberId, now: datetime) -> bool:
    """Note that a mail address is its member's; `False` when that was known already."""
    changed = await tx.run(
        "UPDATE member SET email_confirmed_at = :now WHERE id = :id AND email_confirmed_at IS NULL",
        {"id": member, "now": now},
    )
    return changed == 1


def _member(row: Row) -> Member:
    return Member(
        id=row["id"],
        account=row["account_id"],
        email=row["email"],
        password_hash=row["password_hash"],
        role=row["role"],
        created_at=row["created_at"],
        email_confirmed_at=row["email_confirmed_at"],
    )
