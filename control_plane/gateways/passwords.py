"""Passwords: argon2id (RFC 9106), hashed in threads, a few at a time.

Each hash takes tens of megabytes and milliseconds on purpose; more than a few at once would let anybody who can reach
the log-in form take all the memory. Checking has turns of its own, so that those who sign up
keep nobody from logging in.
"""

import asyncio
import unicodedata
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from shared.kernel.errors import AppError

CHECKED_AT_ONCE: Final = 2
HASHED_AT_ONCE: Final = 1
HASHES_WAITING_MOST: Final = 16
"""A few seconds' worth: whoever would wait longer is told so at once."""


class TooManyAtOnce(AppError):
    """More people choose a password than can be served in a few seconds."""

    code = "too_many_at_once"
    status = 503
    public = "Too many people sign up right now. Nothing was changed."
    next_action = "Try again in a few seconds."

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {"Retry-After": "5"}


class Passwords:
    """Hashing and checking."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """With the library's own costs unless others are given (tests give cheap ones)."""
        self._hasher = hasher or PasswordHasher(type=Type.ID)
        self._checking = asyncio.Semaphore(CHECKED_AT_ONCE)
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)
        self._hashes = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The password's hash in argon2's own text form.

        Raises:
            TooManyAtOnce: see there.
        """
        self.expect_room()
        self._hashes += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(self._hasher.hash, canonical(password))
        finally:
            self._hashes -= 1

    def expect_room(self) -> None:
        """Go on if a hash would come about soon.

        Raises:
            TooManyAtOnce: see there.
        """
        if self._hashes >= HASHED_AT_ONCE + HASHES_WAITING_MOST:
            raise TooManyAtOnce

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether the password is the one that was hashed.

        Without a hash (nobody has that mail address) as much work is done, so that the time tells nothing.
        """
        async with self._checking:
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
