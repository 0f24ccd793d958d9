"""Cancel an operation that may be canceled."""

from control_plane.actions import destruction, owned
from control_plane.actions.tools import Tools, acting
from shared.contracts.operations import Kind
from shared.kernel.errors import AppError
from shared.kernel.ids import OperationId
from shared.lifecycle.substrate import Event
from shared.registry import audit, operations, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Operation


class NotCancellable(AppError):
    """The operation has ended, or must run to its end."""

    code = "operation_not_cancellable"
    status = 409
    public = "This operation is {status} and cannot be canceled."
    next_action = "Look at the operation; only one that says “cancellable” can be canceled."


async def cancel_operation(tools: Tools, caller: Bearer, operation: OperationId) -> Operation:
    """Call an operation off; whoever works on it stops. Its substrate can be started again or deleted.

    Canceling a deletion that is held undoes it.

    Raises:
        NotCancellable: see there.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        asked = await owned.find_operation(tx, caller, operation)
        row = await owned.claim_substrate(tx, caller, asked.substrate)
        found = await owned.find_operation(tx, caller, operation)  # as it is now that nothing else changes it
        held = found.held_until is not None
        canceled = found.cancellable and await (
            destruction.undo(tools, tx, row, found, now) if held else operations.update_canceled(tx, operation, now)
        )
        if not canceled:
            raise NotCancellable(shown={"status": found.status.value}, operation=operation)
        if found.kind is Kind.START_SUBSTRATE:
            await substrates.update_status(tx, found.substrate, Event.GAVE_UP, now)
        await audit.insert(
            tx,
            caller.account,
            acting(caller),
            "operation.canceled",
            now,
            substrate=found.substrate,
            operation=operation,
        )
        result = await owned.find_operation(tx, caller, operation)
    if held:
        tools.doorbell.push_policy(row.id)
    return result
