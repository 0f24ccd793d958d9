"""List what was done with a substrate."""

from control_plane.actions import owned
from control_plane.actions.tools import Tools
from shared.kernel.ids import SubstrateId
from shared.registry import operations
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Operation


async def list_operations(tools: Tools, caller: Bearer, substrate: SubstrateId) -> list[Operation]:
    """A substrate's operations, the newest first."""
    async with tools.database.transaction() as tx:
        await owned.find_substrate(tx, caller, substrate)
        return await operations.list_of(tx, substrate)
