"""Log in: a token for a mail address and its password, with guessing slowed down."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from control_plane.actions import addresses, networks, tokens
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.registry import accounts, audit, login_failures
from shared.registry.accounts import Member
from shared.registry.audit import Actor, ActorKind

WINDOW: Final = timedelta(minutes=15)

MOST_OF_ADDRESS_FROM_NETWORK: Final = 10
"""What one network may try on one mail address. The figure that callers see."""

MOST_OF_ADDRESS: Final = 100
"""What all networks together may. Higher, so that strangers do not easily lock an owner out."""

MOST_OF_NETWORK: Final = 200
"""What one network may try on all mail addresses."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more attempts there are, for the RateLimit fields."""

    left: int

    @property
    def headers(self) -> dict[str, str]:
        """draft-ietf-httpapi-ratelimit-headers."""
        seconds = int(WINDOW.total_seconds())
        return {
            "RateLimit-Policy": f'"login";q={MOST_OF_ADDRESS_FROM_NETWORK};w={seconds}',
            "RateLimit": f'"login";r={max(self.left, 0)};t={seconds}',
        }


class LoginRefused(AppError):
    """Mail address and password do not belong together; which of them is wrong is not said."""

    code = "login_refused"
    status = 401
    public = "Mail address or password is wrong."
    next_action = "Check both; the password is case-sensitive."

    def __init__(self, allowance: Allowance) -> None:
        """With what is left."""
        super().__init__()
        self.allowance = allowance

    @property
    def headers(self) -> dict[str, str]:
        """What is left, and the scheme that a 401 must name (RFC 9110, section 15.5.2)."""
        return {**self.allowance.headers, "WWW-Authenticate": 'Bearer realm="loam account"'}


class TooManyLogins(AppError):
    """Too many failed attempts lately."""

    code = "too_many_logins"
    status = 429
    public = "Too many failed attempts to log in."
    next_action = "Wait {minutes} minutes, then try again."

    def __init__(self) -> None:
        """The wait is the window's length: attempts leave it one by one."""
        super().__init__(shown={"minutes": int(WINDOW.total_seconds() // 60)})

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110, section 10.2.3."""
        return {**Allowance(0).headers, "Retry-After": str(int(WINDOW.total_seconds()))}


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new token, shown once."""

    token: str
    allowance: Allowance

    def __repr__(self) -> str:
        """Without the token."""
        return "LoggedIn()"


async def log_in(tools: Tools, email: str, password: str, network: str) -> LoggedIn:
    """A token for the member; `network` is the caller's IP address.

    Raises:
        LoginRefused: address and password do not belong together.
        TooManyLogins: see there.
    """
    try:
        address = addresses.normal(email)
    except addresses.AddressUnusable:
        address = ""  # nobody's: takes the same road, and as long
    subjects = _subjects(address, network)
    allowance, member = await _admit(tools, address, subjects)
    if not await tools.passwords.matches(password, member.password_hash if member else None) or member is None:
        raise LoginRefused(allowance)
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        for subject, _ in subjects:
            await login_failures.delete_latest(tx, subject)
        token = await tokens.issue(tools, tx, member.id)
        await audit.insert(tx, member.account, Actor(ActorKind.MEMBER, member.id), "account.logged_in", now)
    return LoggedIn(token, Allowance(allowance.left + 1))


async def _admit(tools: Tools, address: str, subjects: list[tuple[bytes, int]]) -> tuple[Allowance, Member | None]:
    """Count the attempt as failed before it is checked, so that many at once do not slip through."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        left = []
        for subject, most in subjects:
            await login_failures.claim(tx, subject)
            left.append(most - await login_failures.count_since(tx, subject, now - WINDOW))
        if min(left) <= 0:
            raise TooManyLogins
        await login_failures.delete_before(tx, now - login_failures.KEPT_FOR)
        for subject, _ in subjects:
            await login_failures.insert(tx, subject, now)
        return Allowance(left[0] - 1), await accounts.find_member_by_email(tx, address)


def _subjects(address: str, network: str) -> list[tuple[bytes, int]]:
    """What is counted, and how far. In one order for all callers, so that locks cannot cross."""
    prefix = networks.prefix(network)
    return [
        (_subject("address and network", address, prefix), MOST_OF_ADDRESS_FROM_NETWORK),
        (_subject("address", address), MOST_OF_ADDRESS),
        (_subject("network", prefix), MOST_OF_NETWORK),
    ]


def _subject(*words: str) -> bytes:
    return hashlib.sha256("\0".join(words).encode("utf-8", "replace")).digest()
