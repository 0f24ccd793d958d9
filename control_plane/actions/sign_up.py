"""Sign up: an account, its owner, and the first token."""

from dataclasses import dataclass
from typing import Final

from control_plane.actions import addresses, confirm_mail, sign_up_pace, tokens
from control_plane.actions.once import Once
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.kernel.ids import AccountId, MemberId
from shared.kernel.logs import logger
from shared.registry import accounts, audit
from shared.registry.accounts import Member
from shared.registry.audit import Actor, ActorKind

log = logger(__name__)

PASSWORD_LEAST: Final = 12
PASSWORD_BYTES_MOST: Final = 1024


class EmailTaken(AppError):
    """Somebody has signed up with this mail address."""

    code = "email_taken"
    status = 409
    public = "There is an account with this mail address already."
    next_action = "Log in instead, or sign up with another address."


class PasswordUnfit(AppError):
    """The password is too short or too long."""

    code = "password_unfit"
    status = 422
    public = f"A password has at least {PASSWORD_LEAST} characters and at most {PASSWORD_BYTES_MOST} bytes."
    next_action = "Choose a longer one: four random words do well."


@dataclass(frozen=True, slots=True)
class SignedUp:
    """A new account. `token` is shown once."""

    account: AccountId
    email: str
    token: str

    def __repr__(self) -> str:
        """Without address and token."""
        return f"SignedUp(account={self.account!r})"


async def sign_up(tools: Tools, email: str, password: str, network: str, once: Once[SignedUp]) -> SignedUp:
    """Open an account; `network` is the caller's IP address.

    Raises:
        AddressUnusable: the mail address is none.
        PasswordUnfit: see there.
        EmailTaken, TooManySignUps, TooManyAtOnce: see there.
    """
    address = addresses.normal(email)
    if len(password) < PASSWORD_LEAST or len(password.encode()) > PASSWORD_BYTES_MOST:
        raise PasswordUnfit
    tools.passwords.expect_room()
    await sign_up_pace.admit(tools, network, tools.clock.now())
    password_hash = await tools.passwords.hash(password)
    now = tools.clock.now()
    account = AccountId(tools.ids.new("acc"))
    member = Member(MemberId(tools.ids.new("mem")), account, address, password_hash, "owner", now)
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        await accounts.insert(tx, account, now)
        if not await accounts.insert_member(tx, member):
            raise EmailTaken
        result = SignedUp(account, address, await tokens.issue(tools, tx, member.id))
        await audit.insert(tx, account, Actor(ActorKind.MEMBER, member.id), "account.signed_up", now)
        await once.keep(tx, result, now)
    await confirm_mail.ask(tools, member.id, address)
    return result
