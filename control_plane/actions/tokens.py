"""Account tokens: `lat_` and 256 random bits. The registry keeps their SHA-256."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from control_plane.actions.tools import Tools
from shared.kernel.ids import MemberId, TokenId
from shared.registry import account_tokens
from shared.registry.database import Tx

PREFIX: Final = "lat_"
RANDOM_BYTES: Final = 32
"""43 characters of base64url."""

LIFETIME: Final = timedelta(days=30)


def digest(token: str) -> bytes:
    """What is kept of a token: it has 256 random bits, so a fast hash is the right one."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def issue(tools: Tools, tx: Tx, member: MemberId) -> str:
    """A new token of a member."""
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    now = tools.clock.now()
    identifier = TokenId(tools.ids.new("tok"))
    await account_tokens.insert(tx, identifier, member, digest(token), created_at=now, expires_at=now + LIFETIME)
    return token
