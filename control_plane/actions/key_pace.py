"""How fast a substrate's keys may get new secrets: each change is a policy to sign, to carry and to keep."""

from datetime import datetime, timedelta
from math import ceil
from typing import Final

from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.registry import api_keys
from shared.registry.database import Tx

WINDOW: Final = timedelta(minutes=1)
MOST: Final = 30


class TooManySecrets(AppError):
    """Keys were created and rotated faster than anybody needs."""

    code = "too_many_secrets"
    status = 429
    public = f"A substrate's keys may be created or rotated {MOST} times a minute."
    next_action = "Wait {seconds} seconds, then try again."

    def __init__(self, wait: timedelta) -> None:
        """With the time until the next one is possible."""
        self.seconds = max(1, ceil(wait.total_seconds()))
        super().__init__(shown={"seconds": self.seconds})

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3, and draft-ietf-httpapi-ratelimit-headers."""
        return {
            "Retry-After": str(self.seconds),
            "RateLimit-Policy": f'"secrets";q={MOST};w={int(WINDOW.total_seconds())}',
            "RateLimit": f'"secrets";r=0;t={self.seconds}',
        }


async def admit(tx: Tx, substrate: SubstrateId, now: datetime) -> None:
    """Go on if there is room for another secret. The caller holds the substrate's lock, which makes the count hold.

    Raises:
        TooManySecrets: see there.
    """
    made, first = await api_keys.count_secrets_since(tx, substrate, now - WINDOW)
    if made >= MOST and first is not None:
        raise TooManySecrets(first + WINDOW - now)
