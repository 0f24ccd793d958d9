"""Passwords: argon2id (RFC 9106), hashed in threads, a few at a time.

Each hash takes tens of megabytes and milliseconds on purpose; more than a few at once would let anybody who can reach
the log-in form take all the memory.
"""

import asyncio
import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE: Final = 2


class Passwords:
    """Hashing and checking."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """With the library's own costs unless others are given (tests give cheap ones)."""
        self._hasher = hasher or PasswordHasher(type=Type.ID)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The password's hash in argon2's own text form."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, canonical(password))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one that was hashed.

        Without a hash (nobody has that mail address) as much work is done, so that the time tells nothing.
        """
        async with self._turns:
            found = await asyncio.to_thread(self._check, canonical(password), kept)
        return found and kept is not None

    def _check(self, password: bytes, kept: str | None) -> bool:
        if kept is None:
            if self._nobody is None:
                self._nobody = self._hasher.hash("nobody's password")
            kept = self._nobody
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def canonical(password: str) -> bytes:
    """The bytes that are hashed: NFKC first, so that every keyboard's way to write é is the same password."""
    return unicodedata.normalize("NFKC", password).encode()
