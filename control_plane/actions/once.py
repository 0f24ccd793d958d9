"""`Idempotency-Key`: a request that must not be carried out twice, in one place for all of them.

An action calls `begin` first and `keep` last inside its transaction, so that the answer is kept exactly when the
change is. An answer that held a secret is kept without its body: it is never shown again.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec

from shared.kernel.errors import AppError
from shared.kernel.secret_files import Secret
from shared.registry import idempotency
from shared.registry.database import Tx
from shared.registry.idempotency import KeptAnswer

R = TypeVar("R")

KEY_LENGTH_MOST: Final = 255


class IdempotencyInProgress(AppError):
    """The first request with this key has not ended."""

    code = "idempotency_in_progress"
    status = 409
    public = "A request with this Idempotency-Key is being carried out right now."
    next_action = "Wait a moment, then send the same request with the same key again to get its answer."


class IdempotencyMismatch(AppError):
    """The key was used for another request."""

    code = "idempotency_mismatch"
    status = 422
    public = "This Idempotency-Key was used for another request."
    next_action = "Use a fresh key for every new request."


class IdempotencyKeyMalformed(AppError):
    """The header has characters or a length that it may not have."""

    code = "idempotency_key_malformed"
    status = 400
    public = f"An Idempotency-Key has 1 to {KEY_LENGTH_MOST} visible ASCII characters."
    next_action = "Use a random UUID."


class SecretAlreadyShown(AppError):
    """The answer held a secret, which is not kept."""

    code = "secret_already_shown"
    status = 409
    public = "This request was carried out, and its answer, which held a secret, was given once."
    next_action = "If the answer did not reach you: log in for another token, rotate for another key."


class Replay(Exception):
    """The request was carried out before; here is what was answered. Not a failure: the app answers with it."""

    def __init__(self, answer: KeptAnswer) -> None:
        """With the answer that was kept."""
        super().__init__("replay")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Once(Generic[R]):
    """One request's key and what its answer will look like."""

    scope: str
    """Whose key it is: keys of different callers never meet."""
    key: str | None
    """`None`: the caller sent none, and nothing is kept."""
    fingerprints: tuple[bytes, ...]
    """The request's digest under each key of the ring; the first is stored."""
    status: int
    show: Callable[[R], Any] | None
    """The answer's body, or `None` when it holds a secret."""

    async def begin(self, tx: Tx) -> None:
        """Go on if this is the first time.

        Raises:
            Replay: it is not; with the answer.
            IdempotencyInProgress: the first time has not ended.
            IdempotencyMismatch: the key was used for another request.
            SecretAlreadyShown: the answer held a secret.
        """
        if self.key is None:
            return
        if not await idempotency.claim(tx, self.scope, self.key):
            raise IdempotencyInProgress
        kept = await idempotency.find(tx, self.scope, self.key)
        if kept is None:
            return
        if kept.request not in self.fingerprints:
            raise IdempotencyMismatch
        if kept.body is None:
            raise SecretAlreadyShown
        raise Replay(kept)

    async def keep(self, tx: Tx, result: R, now: datetime) -> None:
        """Keep what is answered."""
        if self.key is None:
            return
        body = msgspec.to_builtins(self.show(result)) if self.show is not None else None
        answer = KeptAnswer(self.fingerprints[0], self.status, body)
        await idempotency.insert(tx, self.scope, self.key, answer, now)


def checked_key(header: str | None) -> str | None:
    """The key of a request, if it sent one.

    Raises:
        IdempotencyKeyMalformed: see there.
    """
    if header is None:
        return None
    if not 1 <= len(header) <= KEY_LENGTH_MOST or not all("!" <= character <= "~" for character in header):
        raise IdempotencyKeyMalformed
    return header


def fingerprints(ring: Sequence[Secret], method: str, path: str, body: bytes) -> tuple[bytes, ...]:
    """The request's digest under each key of the ring. Keyed, because a body may hold a password."""
    message = b"\0".join((b"idempotency", method.encode(), path.encode(), body))
    return tuple(hmac.new(secret.value, message, hashlib.sha256).digest() for secret in ring)
