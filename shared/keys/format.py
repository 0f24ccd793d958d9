"""The text of an API key: `mmk_`, 32 base62 characters, and a checksum of 6.

Pure. The checksum (CRC-32 in base62 over all that precedes it) refuses a mistyped or cut key before any look-up; it
protects nothing. The secret is the 190 random bits in the middle.
"""

import hashlib
import secrets
import string
import zlib
from enum import StrEnum
from typing import Final, NewType

ApiKey = NewType("ApiKey", str)
"""A whole secret. It is never logged, stored or put into an exception."""

Digest = NewType("Digest", str)
"""SHA-256 of a key's text, in lower-case hexadecimal: what databases and policies hold instead of the key."""

PREFIX: Final = "mmk_"
RANDOM_LENGTH: Final = 32
CHECKSUM_LENGTH: Final = 6
LENGTH: Final = len(PREFIX) + RANDOM_LENGTH + CHECKSUM_LENGTH
SHOWN_LENGTH: Final = 8
"""How much of a key is shown after its claim: `mmk_abcd`."""

BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE62_SET: Final = frozenset(BASE62)


class Flaw(StrEnum):
    """Why a presented text cannot be a key of ours, found without looking anything up."""

    MISSING = "missing"
    UNEXPANDED = "unexpanded"
    MALFORMED = "malformed"
    CHECKSUM = "checksum"


def mint() -> ApiKey:
    """A new key from the operating system's generator."""
    body = PREFIX + "".join(secrets.choice(BASE62) for _ in range(RANDOM_LENGTH))
    return ApiKey(body + checksum(body))


def checksum(body: str) -> str:
    """CRC-32 (ISO 3309) of `body` in base62, most significant digit first, six characters."""
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def flaw_of(presented: str) -> Flaw | None:
    """What is wrong with a presented text, or `None` when it has the form of a key."""
    if not presented:
        return Flaw.MISSING
    if presented[0] in "$%{" or "${" in presented:
        return Flaw.UNEXPANDED
    if len(presented) != LENGTH or not presented.startswith(PREFIX) or not _BASE62_SET.issuperset(presented[4:]):
        return Flaw.MALFORMED
    if checksum(presented[:-CHECKSUM_LENGTH]) != presented[-CHECKSUM_LENGTH:]:
        return Flaw.CHECKSUM
    return None


def digest(presented: str) -> Digest:
    """SHA-256 of the text. A key has 190 random bits, so a fast hash is the right one."""
    return Digest(hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest())


def shown(key: ApiKey) -> str:
    """The first eight characters: all that is ever shown again."""
    return key[:SHOWN_LENGTH]
