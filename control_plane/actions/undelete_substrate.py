"""Undo a deletion within its 72 hours."""

from control_plane.actions import destruction, owned
from control_plane.actions.read_substrate import SubstrateNow, look
from control_plane.actions.tools import Tools, acting
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.registry import audit, operations
from shared.registry.account_tokens import Bearer


class NothingToUndo(AppError):
    """There is no deletion that can still be undone."""

    code = "nothing_to_undo"
    status = 409
    public = "This substrate is {status}, and no deletion of it can be undone."
    next_action = "Look at the substrate; a deletion can be undone for 72 hours."


async def undelete_substrate(tools: Tools, caller: Bearer, substrate: SubstrateId) -> SubstrateNow:
    """As if it had never been deleted: what restricted it before still does.

    Raises:
        NothingToUndo: see there.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        row = await owned.claim_substrate(tx, caller, substrate)
        held = await operations.find_held(tx, substrate)
        if held is None or not await destruction.undo(tools, tx, row, held, now):
            raise NothingToUndo(shown={"status": row.status.value}, substrate=substrate)
        await audit.insert(
            tx, caller.account, acting(caller), "substrate.undeleted", now, substrate=substrate, operation=held.id
        )
    tools.doorbell.push_policy(substrate)
    return await look(tools, caller, substrate)
