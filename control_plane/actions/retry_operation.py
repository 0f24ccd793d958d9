"""Retry an operation that failed or was canceled."""

from control_plane.actions import owned
from control_plane.actions.tools import Tools, acting
from shared.contracts.operations import COURSES, Kind
from shared.kernel.errors import AppError
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import TABLE, Event
from shared.lifecycle.substrate import Event as SubstrateEvent
from shared.lifecycle.substrate import Status
from shared.lifecycle.transitions import TransitionRefused
from shared.registry import audit, operations, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Operation


class NothingToRetry(AppError):
    """The operation has neither failed nor been canceled."""

    code = "operation_not_retryable"
    status = 409
    public = "This operation is {status}; only one that failed or was canceled can be tried again."
    next_action = "There is nothing to try again; look at the operation, or wait until it has ended."


async def retry_operation(tools: Tools, caller: Bearer, operation: OperationId) -> Operation:
    """Begin an operation anew, from its first step and with a fresh deadline.

    Raises:
        NothingToRetry: it has not failed.
        SubstrateGoing: its substrate is being deleted, or is gone.
        TransitionRefused: its substrate has moved on since.
        OperationUnderWay: another one must end first.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        asked = await owned.find_operation(tx, caller, operation)
        row = await owned.claim_substrate(tx, caller, asked.substrate)
        found = await owned.find_operation(tx, caller, operation)  # as it is now that nothing else changes it
        if Event.RETRIED not in TABLE[found.status]:
            raise NothingToRetry(shown={"status": found.status.value.replace("_", " ")}, operation=operation)
        if found.kind is Kind.DESTROY_SUBSTRATE and row.status is not Status.DELETING:
            # It was undone. A deletion is asked for by its own name, so that it can be undone again.
            words = {"machine": "substrate", "state": row.status.value, "event": Event.RETRIED.value}
            raise TransitionRefused(shown=words)
        if found.kind is Kind.START_SUBSTRATE:
            if row.status in {Status.DELETING, Status.DELETED}:
                raise owned.SubstrateGoing(shown={"status": row.status.value}, substrate=found.substrate)
            await substrates.update_status(tx, found.substrate, SubstrateEvent.RETRIED, now)
        await operations.update_retried(tx, operation, now, now + COURSES[found.kind].deadline)
        await audit.insert(
            tx, caller.account, acting(caller), "operation.retried", now, substrate=found.substrate, operation=operation
        )
        result = await owned.find_operation(tx, caller, operation)
    tools.doorbell.advance(operation)
    return result
