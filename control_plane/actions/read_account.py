"""Read the caller's own membership."""

from control_plane.actions.tools import Tools
from shared.registry import accounts
from shared.registry.account_tokens import Bearer
from shared.registry.accounts import Member


async def read_account(tools: Tools, caller: Bearer) -> Member:
    """The member that the token speaks for."""
    async with tools.database.transaction() as tx:
        member = await accounts.find_member(tx, caller.member)
    if member is None:
        raise LookupError(caller.member)
    return member
