"""Revoke a key: committed, carried to the instance, and followed until it is acknowledged."""

from dataclasses import dataclass

from control_plane.actions import owned
from control_plane.actions.propagation import carry, publish_change
from control_plane.actions.tools import Tools, acting
from shared.contracts.operations import Kind
from shared.contracts.policy import Ended
from shared.kernel.ids import KeyId, OperationId, SubstrateId
from shared.lifecycle.api_key import Event, State, after
from shared.registry import api_keys, audit, operations, policies
from shared.registry.account_tokens import Bearer
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.substrates import Substrate


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """The key is revoked. `following` is the operation that ends when the instance has acknowledged it."""

    propagated: bool
    following: Operation | None


async def revoke_api_key(tools: Tools, caller: Bearer, substrate: SubstrateId, key: KeyId) -> RevokedKey:
    """End a key for good. Asked again, it tells how far the first time has got."""
    async with tools.database.transaction() as tx:
        row = await owned.claim_keyring(tx, caller, substrate)
        operation = await _revoke(tools, tx, caller, row, key)
    order = (int(operation.facts["epoch"]), int(operation.facts["generation"]))
    propagated = await carry(tools, row, order)
    async with tools.database.transaction() as tx:
        return RevokedKey(propagated, await operations.find(tx, operation.id))


async def _revoke(tools: Tools, tx: Tx, caller: Bearer, row: Substrate, key: KeyId) -> Operation:
    now = tools.clock.now()
    found = await owned.find_key(tx, row.id, key)
    if found.state is State.REVOKED:
        before = await _followed(tx, row.id, key)
        if before is not None:
            return before
    else:
        becomes = after(found.state, Event.REVOKED)
        await api_keys.update_state(tx, row.id, key, was=found.state, becomes=becomes, now=now)
        await api_keys.update_secrets_ended(tx, key, Ended.REVOKED, now)
        await publish_change(tools, tx, row, now)
        await audit.insert(tx, row.account, acting(caller), "key.revoked", now, substrate=row.id, key=key)
    policy = await policies.get(tx, row.id)
    operation = OperationId(tools.ids.new("op"))
    facts = {"key": key, "epoch": policy.epoch, "generation": policy.generation}
    await operations.insert(tx, operation, Kind.REVOKE_KEY, row.account, row.id, now, facts=facts)
    made = await operations.find(tx, operation)
    if made is None:
        raise LookupError(operation)
    return made


async def _followed(tx: Tx, substrate: SubstrateId, key: KeyId) -> Operation | None:
    """The operation that follows this key's revocation."""
    for operation in await operations.list_of(tx, substrate):
        if operation.kind is Kind.REVOKE_KEY and operation.facts.get("key") == key:
            return operation
    return None
