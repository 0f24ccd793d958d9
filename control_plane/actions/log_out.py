"""Log out: the token that asks ends."""

from control_plane.actions.tools import Tools, acting
from shared.registry import account_tokens, audit
from shared.registry.account_tokens import Bearer


async def log_out(tools: Tools, caller: Bearer) -> None:
    """End the caller's token."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await account_tokens.update_ended(tx, caller.token, now)
        await audit.insert(tx, caller.account, acting(caller), "account.logged_out", now)
