"""List an account's subscriptions."""

from control_plane.actions.tools import Tools
from shared.registry import subscriptions
from shared.registry.account_tokens import Bearer
from shared.registry.subscriptions import Subscription


async def list_subscriptions(tools: Tools, caller: Bearer) -> list[Subscription]:
    """The subscriptions, the newest first."""
    async with tools.database.transaction() as tx:
        return await subscriptions.list_of(tx, caller.account)
