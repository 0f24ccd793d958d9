"""Read the receipt of a substrate that was destroyed."""

from control_plane.actions import owned
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.registry import receipts
from shared.registry.account_tokens import Bearer
from shared.registry.receipts import Receipt


class NotDestroyed(AppError):
    """There is a receipt once it is gone."""

    code = "not_destroyed"
    status = 409
    public = "This substrate is {status}; there is a receipt once it is deleted."
    next_action = "Follow its operation to the end, then ask again."


async def read_receipt(tools: Tools, caller: Bearer, substrate: SubstrateId) -> Receipt:
    """What was destroyed, and when.

    Raises:
        NotDestroyed: see there.
    """
    async with tools.database.transaction() as tx:
        row = await owned.find_substrate(tx, caller, substrate)
        found = await receipts.find(tx, substrate)
    if found is None:
        raise NotDestroyed(shown={"status": row.status.value}, substrate=substrate)
    return found
