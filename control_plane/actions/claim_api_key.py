"""Claim a key: its secret is given once, and the sealed copy is destroyed by the same statement."""

from dataclasses import dataclass
from datetime import datetime

from control_plane.actions import owned
from control_plane.actions.lapse_api_keys import lapse
from control_plane.actions.once import Once
from control_plane.actions.tools import Tools, acting
from shared.kernel.errors import AppError
from shared.kernel.ids import KeyId, SubstrateId
from shared.kernel.secret_files import Secret
from shared.keys.format import ApiKey
from shared.keys.sealing import CannotOpen, unseal
from shared.lifecycle.api_key import State
from shared.registry import api_keys, audit
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key, SealedSecret


class AlreadyClaimed(AppError):
    """The secret was given once."""

    code = "already_claimed"
    status = 409
    public = "This key was claimed, and its secret was shown then."
    next_action = "If you do not have it any more, rotate the key to get a new secret."


class UnclaimedExpired(AppError):
    """Nobody claimed it in time."""

    code = "unclaimed_expired"
    status = 409
    public = "This key was not claimed in time; its secret was destroyed."
    next_action = "Rotate the key to get a new secret."


class KeyIsRevoked(AppError):
    """The key was revoked."""

    code = "key_is_revoked"
    status = 409
    public = "This key was revoked; nothing brings it back."
    next_action = "Create another key."


class SealBroken(AppError):
    """The sealed copy cannot be opened: the key ring has lost the secret it was sealed with."""

    code = "seal_broken"
    status = 500
    public = "The sealed copy of this key cannot be opened."
    next_action = "Rotate the key to get a new secret, and tell support."


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A key and its secret, shown once."""

    key: Key
    secret: ApiKey

    def __repr__(self) -> str:
        """Without the secret."""
        return f"ClaimedKey(key={self.key.id!r})"


async def claim_api_key(
    tools: Tools, caller: Bearer, substrate: SubstrateId, key: KeyId, once: Once[ClaimedKey]
) -> ClaimedKey:
    """Take the secret of a key that was made for the customer.

    Of any number of callers one gets it.

    Raises:
        AlreadyClaimed, UnclaimedExpired, KeyIsRevoked: why there is nothing to take.
    """
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        await owned.claim_keyring(tx, caller, substrate)
        taken = await api_keys.claim_sealed(tx, substrate, key, now)
        found = await owned.find_key(tx, substrate, key)
        if taken is not None:
            result = ClaimedKey(found, _open(taken, tools.seals, found))
            await audit.insert(tx, caller.account, acting(caller), "key.claimed", now, substrate=substrate, key=key)
            await once.keep(tx, result, now)
            return result
    if found.state is State.UNCLAIMED:
        await _lapse_now(tools, substrate, now)
        raise UnclaimedExpired(key=key)
    raise {State.UNCLAIMED_EXPIRED: UnclaimedExpired, State.REVOKED: KeyIsRevoked}.get(found.state, AlreadyClaimed)


def _open(taken: SealedSecret, ring: tuple[Secret, ...], key: Key) -> ApiKey:
    """The secret. When it cannot be opened the transaction is undone, so that the copy is kept."""
    try:
        return ApiKey(unseal(taken.sealed, taken.sealed_with, ring, record=taken.id))
    except CannotOpen:
        raise SealBroken(key=key.id, sealed_with=taken.sealed_with) from None


async def _lapse_now(tools: Tools, substrate: SubstrateId, now: datetime) -> None:
    """The claim came too late, and before the sweep: destroy the copy now."""
    async with tools.database.transaction() as tx:
        await lapse(tools, tx, substrate, now)
