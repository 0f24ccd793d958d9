"""Failed log-ins, counted to slow guessing: every statement that touches `login_failure`."""

import hashlib
from datetime import datetime

from shared.registry.database import Tx


async def claim(tx: Tx, subject: bytes) -> None:
    """Queue up with everybody else who counts this subject, until the transaction ends."""
    number = int.from_bytes(hashlib.sha256(b"login\0" + subject).digest()[:8], "big", signed=True)
    await tx.run("SELECT pg_advisory_xact_lock(:number)", {"number": number})


async def insert(tx: Tx, subject: bytes, now: datetime) -> None:
    """One more failure of a subject (the SHA-256 of an address)."""
    await tx.run("INSERT INTO login_failure (subject, at) VALUES (:subject, :now)", {"subject": subject, "now": now})


async def count_since(tx: Tx, subject: bytes, since: datetime) -> int:
    """How often a subject has failed since a moment."""
    found: int = await tx.value(
        "SELECT count(*) FROM login_failure WHERE subject = :subject AND at > :since",
        {"subject": subject, "since": since},
    )
    return found


async def delete_latest(tx: Tx, subject: bytes) -> None:
    """Take back one failure of a subject: the attempt that was counted in advance has succeeded."""
    await tx.run(
        """
        DELETE FROM login_failure
         WHERE ctid = (SELECT ctid FROM login_failure WHERE subject = :subject ORDER BY at DESC LIMIT 1)
        """,
        {"subject": subject},
    )


async def delete_before(tx: Tx, moment: datetime) -> None:
    """Forget failures that no longer count."""
    await tx.run("DELETE FROM login_failure WHERE at < :moment", {"moment": moment})
