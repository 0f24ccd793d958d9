"""Delete a substrate: what is under way is called off, its keys die, its subscription ends, its data is erased."""

from datetime import datetime

from control_plane.actions import owned
from control_plane.actions.propagation import publish_change
from control_plane.actions.tools import Tools, acting
from shared.contracts.operations import Kind
from shared.kernel.errors import AppError
from shared.kernel.ids import OperationId, SubscriptionId, SubstrateId
from shared.lifecycle import subscription as subscription_life
from shared.lifecycle.substrate import Event, Status
from shared.registry import audit, operations, subscriptions, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.database import Tx
from shared.registry.operations import Operation


class AlreadyDeleted(AppError):
    """The substrate is gone; there is nothing left to erase."""

    code = "already_deleted"
    status = 409
    public = "This substrate is deleted already: its memory and keys are erased."
    next_action = "There is nothing left to do; subscribe again for a new one."


async def delete_substrate(tools: Tools, caller: Bearer, substrate: SubstrateId) -> Operation:
    """Begin to destroy it; the operation that does. Asked again, it returns the one under way.

    Raises:
        AlreadyDeleted: see there.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        row = await owned.claim_substrate(tx, caller, substrate)
        if row.status is Status.DELETED:
            raise AlreadyDeleted(substrate=substrate)
        active = await operations.find_active(tx, substrate)
        if active is not None and active.kind is Kind.DESTROY_SUBSTRATE:
            return active
        if active is not None:
            await operations.update_canceled(tx, active.id, now)
        if row.status is not Status.DELETING:  # an earlier attempt failed: the work is begun anew
            await substrates.update_status(tx, substrate, Event.DELETION_ASKED, now)
            await _cancel_subscription(tx, row.subscription)
        await publish_change(tools, tx, await substrates.get(tx, substrate), now)
        operation = await _insert_operation(tools, tx, caller, substrate, now)
        facts = {"operation": operation.id, "subscription": row.subscription}
        await audit.insert(
            tx, caller.account, acting(caller), "substrate.deletion_asked", now, substrate=substrate, **facts
        )
    tools.doorbell.push_policy(substrate)
    tools.doorbell.advance(operation.id)
    return operation


async def _cancel_subscription(tx: Tx, identifier: SubscriptionId) -> None:
    subscription = await subscriptions.get(tx, identifier)
    if subscription.state in {subscription_life.State.CANCELED, subscription_life.State.ENDED}:
        return
    becomes = subscription_life.after(subscription.state, subscription_life.Event.CANCELED)
    await subscriptions.update_state(tx, identifier, was=subscription.state, becomes=becomes)


async def _insert_operation(tools: Tools, tx: Tx, caller: Bearer, substrate: SubstrateId, now: datetime) -> Operation:
    operation = OperationId(tools.ids.new("op"))
    await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, caller.account, substrate, now)
    made = await operations.find(tx, operation)
    if made is None:
        raise LookupError(operation)
    return made
