"""How many may sign up from one network: each costs a slow hash, and a letter to an address that the caller chooses."""

import hashlib
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from control_plane.actions import networks
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.registry import login_failures

WINDOW: Final = timedelta(hours=1)


class TooManySignUps(AppError):
    """Too many sign-ups from this network lately."""

    code = "too_many_sign_ups"
    status = 429
    public = "Your network may sign up {most} times an hour."
    next_action = "Wait {minutes} minutes, then try again."

    def __init__(self, most: int, wait: timedelta) -> None:
        """With the time until the next one is possible."""
        self.most = most
        self.seconds = max(1, ceil(wait.total_seconds()))
        super().__init__(shown={"most": most, "minutes": ceil(self.seconds / 60)})

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3, and draft-ietf-httpapi-ratelimit-headers."""
        return {
            "Retry-After": str(self.seconds),
            "RateLimit-Policy": f'"signup";q={self.most};w={int(WINDOW.total_seconds())}',
            "RateLimit": f'"signup";r=0;t={self.seconds}',
        }


async def admit(tools: Tools, network: str, now: datetime) -> None:
    """Count a sign-up before any work is done for it, whatever becomes of it; `network` is the caller's IP address.

    Raises:
        TooManySignUps: see there.
    """
    subject = hashlib.sha256(f"sign-up\0{networks.prefix(network)}".encode()).digest()
    async with tools.database.transaction() as tx:
        await login_failures.claim(tx, subject)
        if await login_failures.count_since(tx, subject, now - WINDOW) >= tools.sign_ups_per_hour:
            first = await login_failures.find_first_since(tx, subject, now - WINDOW)
            raise TooManySignUps(tools.sign_ups_per_hour, (first or now) + WINDOW - now)
        await login_failures.delete_before(tx, now - login_failures.KEPT_FOR)
        await login_failures.insert(tx, subject, now)
