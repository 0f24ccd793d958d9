"""The verdict about a presented key: who it is, or why it is refused.

Pure. Used by the tenant's server on every request and by the waker before anything is started, so that both say the
same. Only a key that once belonged to this instance learns more than “unknown”.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from shared.contracts.policy import Ended, KeyGrant, Policy
from shared.kernel.clock import from_ms, iso, to_ms
from shared.kernel.errors import AppError
from shared.keys.format import LENGTH, Flaw, digest, flaw_of

REALM: Final = "loam"


class KeyRefused(AppError):
    """A request without a key that opens this instance: 401 with the fix in plain words."""

    status = 401
    challenge_error: ClassVar[str | None] = "invalid_token"
    """RFC 6750, section 3.1. Absent when no key was presented at all."""

    @property
    def headers(self) -> dict[str, str]:
        """RFC 6750, section 3."""
        error = f', error="{self.challenge_error}"' if self.challenge_error else ""
        return {"WWW-Authenticate": f'Bearer realm="{REALM}"{error}'}


class KeyMissing(KeyRefused):
    """No key was presented."""

    code = "key_missing"
    public = "This request has no API key."
    next_action = "Send the header “Authorization: Bearer <your key>”; `loam substrates connect` has the snippet."
    challenge_error = None


class KeyUnexpanded(KeyRefused):
    """A variable's name arrived in place of its value."""

    code = "key_unexpanded"
    public = "The key is a variable's name that was not replaced by its value."
    next_action = "Set the environment variable before the client starts, or paste the key itself."


class KeyMalformed(KeyRefused):
    """The text is not a key of ours."""

    code = "key_malformed"
    public = f"This is not a key of ours: a key begins with mmk_ and has {LENGTH} characters."
    next_action = "Copy the whole key again, without quotes or spaces."


class KeyChecksumWrong(KeyRefused):
    """The text has the form of a key, but was mistyped or cut."""

    code = "key_checksum_wrong"
    public = "The key has a typing error: its checksum does not match."
    next_action = "Copy the key again; if you no longer have it, rotate it: `loam keys rotate`."


class KeyUnknown(KeyRefused):
    """No key of this instance."""

    code = "key_unknown"
    public = "This instance does not know the key."
    next_action = "Check that the address and the key belong to the same instance."


class KeyNotYetValid(KeyRefused):
    """The key's time has not come."""

    code = "key_not_yet_valid"
    public = "The key works from {when} on."
    next_action = "Wait until then, or use another key."


class KeyRevoked(KeyRefused):
    """The key was revoked."""

    code = "key_revoked"
    public = "The key was revoked at {when}."
    next_action = "Use another key, or create one: `loam keys create`."


class KeyExpired(KeyRefused):
    """The key's time is over."""

    code = "key_expired"
    public = "The key expired at {when}."
    next_action = "Rotate it with `loam keys rotate`, or create another."


class KeyRotated(KeyRefused):
    """The key has a new secret."""

    code = "key_rotated"
    public = "The key was replaced by a new secret; the old one ended at {when}."
    next_action = "Put the new secret into this client."


FLAWS: Final[dict[Flaw, type[KeyRefused]]] = {
    Flaw.MISSING: KeyMissing,
    Flaw.UNEXPANDED: KeyUnexpanded,
    Flaw.MALFORMED: KeyMalformed,
    Flaw.CHECKSUM: KeyChecksumWrong,
}


@dataclass(frozen=True, slots=True)
class KeyTable:
    """A policy's grants by digest, built once a policy."""

    grants: dict[str, KeyGrant]

    @classmethod
    def of(cls, policy: Policy) -> "KeyTable":
        """The table of one policy."""
        return cls({grant.digest: grant for grant in policy.keys})

    def admit(self, presented: str, now: datetime) -> KeyGrant:
        """The grant of a presented key at this moment.

        Raises:
            KeyRefused: one of its kinds, which says why and what to do.
        """
        flaw = flaw_of(presented)
        if flaw is not None:
            raise FLAWS[flaw]
        found = digest(presented)
        grant = self.grants.get(found)
        # The look-up is by digest, so its time tells nothing about a secret; comparing again costs nothing.
        if grant is None or not hmac.compare_digest(grant.digest, found):
            raise KeyUnknown
        return _in_force(grant, to_ms(now))


def _in_force(grant: KeyGrant, now_ms: int) -> KeyGrant:
    """The grant, if nothing has ended it."""
    if grant.ended is not None and grant.ended_at_ms is not None and now_ms >= grant.ended_at_ms:
        ended = KeyRevoked if grant.ended is Ended.REVOKED else KeyRotated
        raise ended(shown={"when": iso(from_ms(grant.ended_at_ms))}, key=grant.key_id)
    if grant.not_after_ms is not None and now_ms >= grant.not_after_ms:
        raise KeyExpired(shown={"when": iso(from_ms(grant.not_after_ms))}, key=grant.key_id)
    if now_ms < grant.not_before_ms:
        raise KeyNotYetValid(shown={"when": iso(from_ms(grant.not_before_ms))}, key=grant.key_id)
    return grant
