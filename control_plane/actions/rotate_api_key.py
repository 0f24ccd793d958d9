"""Rotate a key: a new secret under the same id, and an end for the old one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from control_plane.actions import key_pace, key_rules, owned
from control_plane.actions.claim_api_key import KeyIsRevoked
from control_plane.actions.create_api_key import insert_secret
from control_plane.actions.once import Once
from control_plane.actions.propagation import carry, publish_change
from control_plane.actions.tools import Tools, acting
from shared.contracts.policy import Ended
from shared.kernel.ids import KeyId, SubstrateId
from shared.keys import format as key_format
from shared.keys.format import ApiKey
from shared.lifecycle.api_key import Event, State, after
from shared.registry import api_keys, audit
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key


class Grace(StrEnum):
    """How long the old secret goes on working."""

    NONE = "0"
    HOUR = "1h"
    DAY = "24h"
    THREE_DAYS = "72h"
    WEEK = "7d"


SPANS: Final[dict[Grace, timedelta]] = {
    Grace.NONE: timedelta(0),
    Grace.HOUR: timedelta(hours=1),
    Grace.DAY: timedelta(hours=24),
    Grace.THREE_DAYS: timedelta(hours=72),
    Grace.WEEK: timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """A key, its new secret, shown once, and when the old one ends."""

    key: Key
    secret: ApiKey
    previous_expires_at: datetime
    propagated: bool

    def __repr__(self) -> str:
        """Without the secret."""
        return f"RotatedKey(key={self.key.id!r})"


async def rotate_api_key(
    tools: Tools, caller: Bearer, substrate: SubstrateId, key: KeyId, grace: Grace, once: Once[RotatedKey]
) -> RotatedKey:
    """Give a key a new secret.

    The old secret ends after the grace or at its own expiry, whichever is first. A secret that was already in its grace
    ends at once; nothing lengthens or revives one.

    Raises:
        KeyIsRevoked: nothing brings it back.
        KeyExpiryUnfit: the key itself has expired, so a new secret would be dead.
        TooManySecrets: see there.
    """
    now = tools.clock.now()
    secret = key_format.mint()
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        row = await owned.claim_keyring(tx, caller, substrate)
        found = await owned.find_key(tx, substrate, key)
        if found.state is State.REVOKED:
            raise KeyIsRevoked(key=key)
        key_rules.fit_expiry(found.expires_at, now)
        await key_pace.admit(tx, substrate, now)
        # A secret that nobody has taken needs no grace.
        span = SPANS[grace] if found.state is State.LIVE else timedelta(0)
        becomes = after(found.state, Event.ROTATED)
        await api_keys.update_state(tx, substrate, key, was=found.state, becomes=becomes, now=now)
        ends = await api_keys.update_secrets_rotated(tx, key, now, now + span)
        await insert_secret(tools, tx, found, secret, now)
        policy = await publish_change(tools, tx, row, now)
        facts = {"key": key, "grace": grace.value, "ended": Ended.ROTATED.value}
        await audit.insert(tx, caller.account, acting(caller), "key.rotated", now, substrate=substrate, **facts)
        result = RotatedKey(await owned.find_key(tx, substrate, key), secret, ends or now, propagated=False)
        await once.keep(tx, result, now)
    return RotatedKey(result.key, secret, result.previous_expires_at, await carry(tools, row, policy.order))
