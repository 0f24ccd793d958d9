"""Finding what the caller owns. The same `NotFound` for what is absent and for what is somebody else's."""

from shared.kernel.errors import AppError, NotFound
from shared.kernel.ids import KeyId, OperationId, SubscriptionId, SubstrateId
from shared.lifecycle.substrate import Status
from shared.registry import api_keys, operations, subscriptions, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.subscriptions import Subscription
from shared.registry.substrates import Substrate


class SubstrateGoing(AppError):
    """The substrate is being deleted, or is gone."""

    code = "substrate_deleted"
    status = 409
    public = "This substrate is {status}: its keys open nothing any more."
    next_action = "Subscribe again for a new substrate."


async def find_substrate(tx: Tx, caller: Bearer, substrate: SubstrateId) -> Substrate:
    """One of the caller's substrates.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await substrates.find(tx, substrate)
    if found is None or found.account != caller.account:
        raise NotFound(substrate=substrate, asked_by=caller.account)
    return found


async def claim_substrate(tx: Tx, caller: Bearer, substrate: SubstrateId) -> Substrate:
    """One of the caller's substrates, locked, so that changes to it and to its keys queue up.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    await find_substrate(tx, caller, substrate)
    return await substrates.claim(tx, substrate)


async def claim_keyring(tx: Tx, caller: Bearer, substrate: SubstrateId) -> Substrate:
    """As `claim_substrate`, for a change to its keys: refused once it is being deleted.

    Raises:
        NotFound: there is none, or it is somebody else's.
        SubstrateGoing: it is being deleted, or is gone.
    """
    found = await claim_substrate(tx, caller, substrate)
    if found.status in {Status.DELETING, Status.DELETED}:
        raise SubstrateGoing(shown={"status": found.status.value}, substrate=substrate)
    return found


async def claim_subscription(
    tx: Tx, caller: Bearer, subscription: SubscriptionId
) -> tuple[Subscription, Substrate | None]:
    """One of the caller's subscriptions and the substrate it is for, both locked, in the order everybody locks them.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await subscriptions.find(tx, subscription)
    if found is None or found.account != caller.account:
        raise NotFound(subscription=subscription, asked_by=caller.account)
    living = await substrates.find_living(tx, subscription)
    row = await substrates.claim(tx, living) if living is not None else None
    return await subscriptions.claim(tx, subscription), row


async def find_key(tx: Tx, substrate: SubstrateId, key: KeyId) -> Key:
    """One of a substrate's keys.

    Raises:
        NotFound: it has no such key.
    """
    found = await api_keys.find(tx, substrate, key)
    if found is None:
        raise NotFound(key=key, substrate=substrate)
    return found


async def find_operation(tx: Tx, caller: Bearer, operation: OperationId) -> Operation:
    """One of the caller's operations.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    found = await operations.find(tx, operation)
    if found is None or found.account != caller.account:
        raise NotFound(operation=operation, asked_by=caller.account)
    return found
