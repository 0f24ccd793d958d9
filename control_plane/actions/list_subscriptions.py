"""List an account's subscriptions, or read one of them."""

from control_plane.actions import owned
from control_plane.actions.cancel_subscription import SubscriptionNow, with_coming
from control_plane.actions.tools import Tools
from shared.kernel.ids import SubscriptionId
from shared.registry import subscriptions
from shared.registry.account_tokens import Bearer


async def list_subscriptions(tools: Tools, caller: Bearer) -> list[SubscriptionNow]:
    """The subscriptions, the newest first, each with what is to come."""
    async with tools.database.transaction() as tx:
        return [await with_coming(tx, one) for one in await subscriptions.list_of(tx, caller.account)]


async def read_subscription(tools: Tools, caller: Bearer, subscription: SubscriptionId) -> SubscriptionNow:
    """One of them, with what is to come."""
    async with tools.database.transaction() as tx:
        found, _ = await owned.claim_subscription(tx, caller, subscription)
        return await with_coming(tx, found)
