"""What a key may be called and how long it may last. Pure."""

import unicodedata
from datetime import datetime, timedelta
from typing import Final

from shared.contracts.policy import Scope
from shared.kernel.errors import AppError

NAME_LENGTH_MOST: Final = 64
LIFETIME_MOST: Final = timedelta(days=366 * 10)

UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories that a name may not have a character of: controls, marks of direction, and what has no glyph."""


class KeyNameUnfit(AppError):
    """The name is empty, too long, or has characters that cannot be printed."""

    code = "key_name_unfit"
    status = 422
    public = f"A key's name has 1 to {NAME_LENGTH_MOST} printable characters."
    next_action = "Name the key after the device or person that uses it, such as “laptop”."


class KeyScopesMissing(AppError):
    """A key without a scope opens nothing."""

    code = "key_scopes_missing"
    status = 422
    public = "A key needs at least one scope: {known}."
    next_action = "Name the scopes the key should have; most agents need read and write."

    def __init__(self) -> None:
        """With the scopes that there are."""
        super().__init__(shown={"known": ", ".join(Scope)})


class KeyExpiryUnfit(AppError):
    """The expiry is not a moment to come."""

    code = "key_expiry_unfit"
    status = 422
    public = "“expires_at” must be a moment to come, with its offset from UTC, at most ten years away."
    next_action = "Send a moment such as 2030-01-31T00:00:00Z, or leave it out for a key that does not expire."


def fit_name(name: str) -> str:
    """The name as it is stored: trimmed, NFC.

    Raises:
        KeyNameUnfit: see there.
    """
    found = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(found) <= NAME_LENGTH_MOST:
        raise KeyNameUnfit
    if any(unicodedata.category(character) in UNPRINTABLE for character in found):
        raise KeyNameUnfit
    return found


def fit_scopes(scopes: list[Scope]) -> tuple[Scope, ...]:
    """The scopes, each once, in the order of the table.

    Raises:
        KeyScopesMissing: see there.
    """
    if not scopes:
        raise KeyScopesMissing
    return tuple(scope for scope in Scope if scope in scopes)


def fit_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    """The expiry.

    Raises:
        KeyExpiryUnfit: see there.
    """
    if expires_at is not None and (expires_at.tzinfo is None or not now < expires_at <= now + LIFETIME_MOST):
        raise KeyExpiryUnfit
    return expires_at
