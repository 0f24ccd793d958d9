"""Answers kept for `Idempotency-Key`: every statement that touches `idempotency`.

The row is written in the transaction of the change, so that both stand or neither does. A second request with the
same key while the first runs finds the advisory lock taken.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.registry.database import Tx


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered before. `body` is `None` when the answer held a secret."""

    request: bytes
    status: int
    body: Any


async def claim(tx: Tx, scope: str, key: str) -> bool:
    """Lock this key until the transaction ends; `False` while another request holds it."""
    number = int.from_bytes(hashlib.sha256(f"{scope}\0{key}".encode()).digest()[:8], "big", signed=True)
    found: bool = await tx.value("SELECT pg_try_advisory_xact_lock(:number)", {"number": number})
    return found


async def find(tx: Tx, scope: str, key: str) -> KeptAnswer | None:
    """What was answered to this key before."""
    row = await tx.row("SELECT * FROM idempotency WHERE scope = :scope AND key = :key", {"scope": scope, "key": key})
    return KeptAnswer(row["request"], row["status"], row["body"]) if row else None


async def insert(tx: Tx, scope: str, key: str, answer: KeptAnswer, now: datetime) -> None:
    """Keep an answer."""
    await tx.run(
        """
        INSERT INTO idempotency (scope, key, request, status, body, created_at)
        VALUES (:scope, :key, :request, :status, :body, :now)
        """,
        {
            "scope": scope,
            "key": key,
            "request": answer.request,
            "status": answer.status,
            "body": answer.body,
            "now": now,
        },
    )


async def delete_before(tx: Tx, moment: datetime) -> int:
    """Forget what was answered before a moment; how many there were."""
    return await tx.run("DELETE FROM idempotency WHERE created_at < :moment", {"moment": moment})
