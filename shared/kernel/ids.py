"""Identifiers: opaque, unguessable, with a prefix that says what they name."""

import secrets
from typing import Final, NewType, Protocol

AccountId = NewType("AccountId", str)
MemberId = NewType("MemberId", str)
TokenId = NewType("TokenId", str)
SubscriptionId = NewType("SubscriptionId", str)
SubstrateId = NewType("SubstrateId", str)
KeyId = NewType("KeyId", str)
KeySecretId = NewType("KeySecretId", str)
OperationId = NewType("OperationId", str)
BackupId = NewType("BackupId", str)
Slug = NewType("Slug", str)

ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
"""RFC 4648, section 6, in lower case: safe in host names, paths and container names."""

ID_LENGTH: Final = 16
"""80 random bits: enough that ids never collide and cannot be guessed."""

SLUG_LENGTH: Final = 10
"""50 random bits in a host name, which says nothing about the customer."""


class Ids(Protocol):
    """Where new identifiers and slugs come from; tests pass one that counts."""

    def new(self, prefix: str) -> str:
        """A fresh id such as `sub_3kq…`; `prefix` is without the underscore."""
        ...

    def slug(self) -> Slug:
        """A fresh slug: the first label of a substrate's host name."""
        ...


class RandomIds:
    """Ids from the operating system's generator."""

    def new(self, prefix: str) -> str:
        """See `Ids.new`."""
        return f"{prefix}_{_letters(ID_LENGTH)}"

    def slug(self) -> Slug:
        """See `Ids.slug`."""
        return Slug(_letters(SLUG_LENGTH))


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
