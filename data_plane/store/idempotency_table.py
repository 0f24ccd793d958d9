"""Answers that are given again when a save is repeated: every statement that touches `idempotent_answer`."""

from dataclasses import dataclass

from data_plane.store.database import Tx


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, and to which request."""

    request: bytes
    """Its digest."""
    answer: str


def find_answer(tx: Tx, key_id: str, key: str) -> Answer | None:
    """The answer given before."""
    row = tx.execute(
        "SELECT request, answer FROM idempotent_answer WHERE key_id = :key_id AND key = :key",
        {"key_id": key_id, "key": key},
    ).fetchone()
    return None if row is None else Answer(request=row[0], answer=row[1])


def insert_answer(tx: Tx, key_id: str, key: str, answer: Answer, now_ms: int) -> None:
    """Keep an answer."""
    tx.execute(
        "INSERT INTO idempotent_answer VALUES (:key_id, :key, :request, :answer, :now)",
        {"key_id": key_id, "key": key, "request": answer.request, "answer": answer.answer, "now": now_ms},
    )


def delete_answers_before(tx: Tx, moment_ms: int) -> None:
    """Drop answers nobody will ask for again."""
    tx.execute("DELETE FROM idempotent_answer WHERE created_at_ms < :moment", {"moment": moment_ms})
