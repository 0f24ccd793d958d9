"""Failed log-ins, counted to slow guessing, and sign-ups: every statement that touches `login_failure`.

A subject is the SHA-256 of what is counted, which begins with its kind, so that kinds never meet.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from shared.registry.database import Tx

KEPT_FOR: Final = timedelta(hours=1)
"""No window that is counted is longer."""


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


async def find_first_since(tx: Tx, subject: bytes, since: datetime) -> datetime | None:
    """When the first attempt was that still counts."""
    found: datetime | None = await tx.value(
        "SELECT min(at) FROM login_failure WHERE subject = :subject AND at > :since",
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
