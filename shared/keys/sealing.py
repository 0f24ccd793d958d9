"""Sealing a secret until its owner takes it: AES-256-GCM (NIST SP 800-38D) with the key ring's `seal` keys.

The record's id is bound in as additional data, so that a sealed copy moved to another row does not open.
"""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.kernel.secret_files import Secret

NONCE_BYTES: Final = 12


class CannotOpen(Exception):
    """The copy was sealed with a key that is no longer here, or was changed, or belongs to another record."""


def seal(secret: str, key: Secret, *, record: str) -> bytes:
    """The secret, readable only with this key and for this record."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key.value).encrypt(nonce, secret.encode(), record.encode())


def unseal(sealed: bytes, sealed_with: str, ring: Sequence[Secret], *, record: str) -> str:
    """The secret again.

    Raises:
        CannotOpen: see there.
    """
    for key in ring:
        if key.id == sealed_with:
            try:
                opened = AESGCM(key.value).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], record.encode())
            except Exception:  # noqa: BLE001 - cryptography raises InvalidTag or ValueError; neither may be told apart
                raise CannotOpen(record) from None
            return opened.decode()
    raise CannotOpen(record)
