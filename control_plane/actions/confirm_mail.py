"""Confirming a mail address: a letter with a code, and the code sent back.

The code is derived from the key ring, the member and the address, so that nothing has to be kept for it.
"""

import hashlib
import hmac
import shlex
from typing import Final

from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.kernel.ids import MemberId
from shared.kernel.logs import logger
from shared.kernel.product import DISPLAY_NAME
from shared.registry import accounts, audit
from shared.registry.audit import Actor, ActorKind

log = logger(__name__)

LETTER: Final = """Welcome to {product}.

To confirm this mail address, run

    loam account confirm {code}

or send it to the API:

    {curl} \\
      {api_url}/v1/confirmations \\
      --json '{{"code": "{code}"}}'

If you have not signed up, ignore this letter.
"""


class CodeWrong(AppError):
    """The code confirms no address."""

    code = "confirmation_code_wrong"
    status = 422
    public = "This code confirms no mail address."
    next_action = "Copy the whole code from the newest letter."


async def ask(tools: Tools, member: MemberId, email: str) -> None:
    """Send the letter. Signing up has succeeded by then, so any failure is logged and no more."""
    curl = f"curl --cacert {shlex.quote(tools.ca_file)}" if tools.ca_file else "curl"
    code = _codes(tools, member, email)[0]
    text = LETTER.format(product=DISPLAY_NAME, code=code, api_url=tools.api_url, curl=curl)
    try:
        await tools.mail.send(email, f"Confirm your mail address for {DISPLAY_NAME}", text, now=tools.clock.now())
    except Exception as error:  # noqa: BLE001 (whatever it is, the account stands; its text may hold the address)
        log.warning("a letter could not be sent", member=member, error=type(error).__name__)


async def confirm_mail(tools: Tools, code: str) -> None:
    """Note that the owner of the address has read the letter.

    Raises:
        CodeWrong: see there.
    """
    member = MemberId(code.rpartition(".")[0])
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        found = await accounts.find_member(tx, member)
        expected = _codes(tools, member, found.email) if found is not None else []
        if found is None or not any(hmac.compare_digest(one.encode(), code.encode()) for one in expected):
            raise CodeWrong
        if await accounts.update_email_confirmed(tx, member, now):
            await audit.insert(tx, found.account, Actor(ActorKind.MEMBER, member), "account.mail_confirmed", now)


def _codes(tools: Tools, member: MemberId, email: str) -> list[str]:
    message = f"confirm\0{member}\0{email}".encode()
    return [f"{member}.{hmac.new(seal.value, message, hashlib.sha256).hexdigest()[:32]}" for seal in tools.seals]
