"""List a substrate's keys."""

from control_plane.actions import owned
from control_plane.actions.tools import Tools
from shared.kernel.ids import SubstrateId
from shared.registry import api_keys
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key


async def list_api_keys(tools: Tools, caller: Bearer, substrate: SubstrateId) -> list[Key]:
    """The keys, the oldest first, revoked ones too."""
    async with tools.database.transaction() as tx:
        await owned.find_substrate(tx, caller, substrate)
        return await api_keys.list_of(tx, substrate)
