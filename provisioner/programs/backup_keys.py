"""The key that opens a substrate's backups: made at its first one, sealed by the key ring, gone with the substrate."""

from provisioner.backups import envelope
from provisioner.backups.errors import BackupRefused
from provisioner.engine.program import Turn
from provisioner.programs.tools import Tools
from shared.kernel.ids import SubstrateId
from shared.keys import sealing
from shared.registry import backup_keys, operations
from shared.registry.backup_keys import BackupKey


async def ensure(turn: Turn, tools: Tools) -> BackupKey:
    """The substrate's key; the first of two workers that make one wins.

    Raises:
        LeaseLost: the turn is over. After a destruction nobody makes a new key for what is gone.
    """
    substrate = turn.operation.substrate
    identity, recipient = envelope.new_identity()
    ring = tools.keys.backup_ring()
    key_id = f"bkey_{substrate.partition('_')[2]}"
    made = BackupKey(
        id=key_id,
        substrate=substrate,
        recipient=recipient,
        sealed=sealing.seal(identity, ring[0], record=key_id),
        sealed_with=ring[0].id,
        created_at=tools.clock.now(),
    )
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await backup_keys.insert(tx, made)
        found = await backup_keys.find(tx, substrate)
    if found is None:
        raise LookupError(substrate)
    return found


async def identity_of(substrate: SubstrateId, tools: Tools) -> str:
    """What opens the substrate's backups.

    Raises:
        BackupRefused: it was destroyed, or sealed with a secret that is no longer in the key ring.
    """
    async with tools.database.transaction() as tx:
        found = await backup_keys.find(tx, substrate)
    if found is None:
        raise BackupRefused("the key that opened this substrate's backups was destroyed")
    try:
        return sealing.unseal(found.sealed, found.sealed_with, tools.keys.backup_ring(), record=found.id)
    except sealing.CannotOpen:
        raise BackupRefused("the key ring has no secret that opens the key of this substrate's backups") from None
