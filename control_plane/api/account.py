"""Signing up, logging in and out, and one's own account."""

from typing import Annotated

import msgspec
from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from control_plane.actions import addresses
from control_plane.actions.confirm_mail import confirm_mail as confirm_mail_action
from control_plane.actions.log_in import log_in as log_in_action
from control_plane.actions.log_out import log_out as log_out_action
from control_plane.actions.read_account import read_account as read_account_action
from control_plane.actions.sign_up import SignedUp
from control_plane.actions.sign_up import sign_up as sign_up_action
from control_plane.actions.tools import Tools
from control_plane.api.tickets import Ticket
from shared.registry.account_tokens import Bearer

Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, description="Your mail address.")]
Password = Annotated[str, msgspec.Meta(max_length=1024, description="At least 12 characters.")]


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Mail address and password."""

    email: Email
    password: Password


class ConfirmationCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code from the letter."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class AccountView(msgspec.Struct, frozen=True):
    """An account."""

    id: str
    email: str
    """The mail address of the member who asks."""


class SignedUpView(msgspec.Struct, frozen=True):
    """A new account and its first token, shown once."""

    account: AccountView
    token: str

    @classmethod
    def of(cls, result: SignedUp) -> "SignedUpView":
        """As it is shown."""
        return cls(AccountView(result.account, result.email), result.token)


class TokenView(msgspec.Struct, frozen=True):
    """A token, shown once. It is good for 30 days."""

    token: str


class ConfirmedView(msgspec.Struct, frozen=True):
    """The mail address is confirmed."""

    confirmed: bool


class OwnAccountView(msgspec.Struct, frozen=True):
    """The account that the token belongs to."""

    account: AccountView
    role: str
    email_confirmed: bool


@post("/v1/signup", operation_id="sign_up", public=True, tags=["Account"], summary="Sign up")
async def sign_up(
    data: JSONBody[Credentials],
    tools: NamedDependency[Tools],
    network: NamedDependency[str],
    ticket: NamedDependency[Ticket],
) -> SignedUpView:
    """Open an account. The token is shown once and is good for 30 days. A network may sign up so many times an hour."""
    scope = f"signup {addresses.normal(data.email)}"
    once = ticket.with_secret(201, scope=scope)
    return SignedUpView.of(await sign_up_action(tools, data.email, data.password, network, once))


@post("/v1/login", operation_id="log_in", public=True, status_code=200, tags=["Account"], summary="Log in")
async def log_in(
    data: JSONBody[Credentials], tools: NamedDependency[Tools], network: NamedDependency[str]
) -> Response[TokenView]:
    """Get a token. Failed attempts are counted; the RateLimit fields say how many are left."""
    result = await log_in_action(tools, data.email, data.password, network)
    return Response(TokenView(result.token), headers=result.allowance.headers)


@post("/v1/logout", operation_id="log_out", status_code=204, tags=["Account"], summary="Log out")
async def log_out(tools: NamedDependency[Tools], caller: NamedDependency[Bearer]) -> None:
    """End the token that this request carries."""
    await log_out_action(tools, caller)


@post(
    "/v1/confirmations",
    operation_id="confirm_mail",
    public=True,
    status_code=200,
    tags=["Account"],
    summary="Confirm a mail address",
)
async def confirm_mail(data: JSONBody[ConfirmationCode], tools: NamedDependency[Tools]) -> ConfirmedView:
    """Send back the code from the letter that followed the sign-up."""
    await confirm_mail_action(tools, data.code)
    return ConfirmedView(confirmed=True)


@get("/v1/account", operation_id="get_account", tags=["Account"], summary="Your account")
async def get_account(tools: NamedDependency[Tools], caller: NamedDependency[Bearer]) -> OwnAccountView:
    """The account that the token belongs to."""
    member = await read_account_action(tools, caller)
    view = AccountView(member.account, member.email)
    return OwnAccountView(view, member.role, email_confirmed=member.email_confirmed_at is not None)


router = Router("/", route_handlers=[sign_up, log_in, log_out, confirm_mail, get_account])
