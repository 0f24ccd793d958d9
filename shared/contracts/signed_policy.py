"""Signing and checking a policy: a compact JWS with EdDSA over Ed25519 (RFC 7515; RFC 8037, section 3.1).

Pure: no clock, no file, no network. The control plane signs, in the transaction that changes a row; the tenant's
server and the waker check.
"""

import base64
import binascii
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.contracts.policy import VERSION, Policy, Trust, TrustedKey

ALGORITHM: Final = "EdDSA"
TYPE: Final = "loam-policy+jws"
MAX_BYTES: Final = 4 * 1024 * 1024
"""A policy of the largest plan with all its keys is a tenth of this."""
ENVELOPE_BYTES: Final = 1024
"""More than a JWS's header, signature and dots take."""

_JWS: Final = jwt.PyJWS(algorithms=[ALGORITHM])


class PolicyRefused(Exception):
    """A policy that must not be applied. The text says why, for the log; it holds nothing secret."""


class PolicyTooLarge(Exception):
    """A policy that nobody would accept. Whoever composes policies bounds them, so this is a bug."""


def sign(policy: Policy, *, key_id: str, seed: bytes) -> str:
    """The policy as a compact JWS, signed by the Ed25519 key with this 32-byte seed (RFC 8032, section 5.1.5).

    Raises:
        PolicyTooLarge: see there.
    """
    content = msgspec.json.encode(policy)
    if len(content) * 4 // 3 + ENVELOPE_BYTES > MAX_BYTES:
        raise PolicyTooLarge(f"{policy.substrate}: {len(content)} bytes, {len(policy.keys)} secrets")
    return _JWS.encode(
        content,
        Ed25519PrivateKey.from_private_bytes(seed),
        algorithm=ALGORITHM,
        headers={"kid": key_id, "typ": TYPE},
    )


def verify(jws: str, trust: Trust) -> Policy:
    """The policy inside a JWS that one of the trusted keys has signed.

    Raises:
        PolicyRefused: too large, malformed, signed by nobody we trust, or of another version.
    """
    if len(jws) > MAX_BYTES:
        raise PolicyRefused("the policy is larger than any policy can be")
    try:
        header = jwt.get_unverified_header(jws)
        public = _public_key(trust, header.get("kid"), header.get("typ"))
        payload = _JWS.decode(jws, public, algorithms=[ALGORITHM])
        policy = msgspec.json.decode(payload, type=Policy)
    except jwt.PyJWTError as error:
        raise PolicyRefused(f"the signature does not hold: {type(error).__name__}") from None
    except msgspec.MsgspecError as error:
        raise PolicyRefused(f"the content is not a policy: {error}") from None
    if policy.version != VERSION:
        raise PolicyRefused(f"version {policy.version} is not understood")
    return policy


def verify_for(jws: str, trust: Trust, *, substrate: str, newer_than: tuple[int, int] | None = None) -> Policy:
    """As `verify`, and it must be this substrate's and not older than the one in force.

    The same (epoch, generation) again is accepted: a push may be doubled.

    Raises:
        PolicyRefused: as `verify`; or it is another substrate's, or older.
    """
    policy = verify(jws, trust)
    if policy.substrate != substrate:
        raise PolicyRefused("the policy is another substrate's")
    if newer_than is not None and policy.order < newer_than:
        raise PolicyRefused(f"the policy {policy.order} is older than {newer_than}, which is in force")
    return policy


def trusted_key(*, key_id: str, seed: bytes) -> TrustedKey:
    """The public half of a signing key, as the trust file names it."""
    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return TrustedKey(id=key_id, ed25519=base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


def _public_key(trust: Trust, key_id: object, kind: object) -> Ed25519PublicKey:
    if kind != TYPE:
        raise PolicyRefused("the signed text is not a policy")
    for key in trust.keys:
        if key.id == key_id:
            try:
                return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.ed25519 + "="))
            except (ValueError, binascii.Error):
                raise PolicyRefused("the trust file holds a malformed key") from None
    raise PolicyRefused("it is signed by a key that the trust file does not name")
