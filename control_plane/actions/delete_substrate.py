"""Delete a substrate by hand: read_only for 72 hours in which it can be undone, or erased at once."""

from typing import Final

from control_plane.actions import destruction, owned
from control_plane.actions.tools import Tools, acting
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Status
from shared.registry import audit
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Operation

NOTHING_TO_UNDO: Final = frozenset({Status.PROVISIONING, Status.FAILED, Status.DELETING})
"""It never ran, or is being erased already."""


class ConfirmationMissing(AppError):
    """Erasing at once needs the slug, typed."""

    code = "confirmation_missing"
    status = 422
    public = "Erasing at once cannot be undone; it needs “confirm” with this substrate's slug, {slug}."
    next_action = "Send the slug as “confirm”, or leave out “now” to have 72 hours in which it can be undone."


class AlreadyDeleted(AppError):
    """The substrate is gone; there is nothing left to erase."""

    code = "already_deleted"
    status = 409
    public = "This substrate is deleted already: its memory and keys are erased."
    next_action = "There is nothing left to do; subscribe again for a new one."


async def delete_substrate(
    tools: Tools, caller: Bearer, substrate: SubstrateId, *, at_once: bool = False, confirm: str | None = None
) -> Operation:
    """Ask for its destruction; the operation that does it. Asked again, it returns the same one.

    Raises:
        ConfirmationMissing: see there.
        AlreadyDeleted: see there.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        row = await owned.claim_substrate(tx, caller, substrate)
        if row.status is Status.DELETED:
            raise AlreadyDeleted(substrate=substrate)
        if at_once and confirm != row.slug:
            raise ConfirmationMissing(shown={"slug": row.slug})
        final = at_once or row.status in NOTHING_TO_UNDO
        operation = await (destruction.begin if final else destruction.hold)(tools, tx, row, now)
        facts = {"operation": operation.id, "subscription": row.subscription, "at_once": final}
        await audit.insert(
            tx, caller.account, acting(caller), "substrate.deletion_asked", now, substrate=substrate, **facts
        )
    tools.doorbell.push_policy(substrate)
    if final:
        tools.doorbell.advance(operation.id)
    return operation
