"""Create a named key; its secret is shown once."""

from dataclasses import dataclass
from datetime import datetime

from control_plane.actions import key_pace, key_rules, owned
from control_plane.actions.once import Once
from control_plane.actions.propagation import carry, publish_change
from control_plane.actions.tools import Tools, acting
from shared.contracts.policy import Scope
from shared.kernel.errors import AppError
from shared.kernel.ids import KeyId, KeySecretId, SubstrateId
from shared.keys import format as key_format
from shared.keys.format import ApiKey
from shared.lifecycle.api_key import State
from shared.registry import api_keys, audit
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key
from shared.registry.database import Tx


class KeyLimitReached(AppError):
    """The plan has no room for another key."""

    code = "key_limit_reached"
    status = 409
    public = "The plan “{plan}” has room for {most} named keys, and there are {most}."
    next_action = "Revoke a key that is not used any more: DELETE /v1/substrates/…/keys/…, or `loam keys revoke`."


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is asked for."""

    name: str
    scopes: list[Scope]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key and its secret, shown once."""

    key: Key
    secret: ApiKey
    propagated: bool
    """Whether the instance knows it already; if not, it will within moments."""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"CreatedKey(key={self.key.id!r})"


async def create_api_key(
    tools: Tools, caller: Bearer, substrate: SubstrateId, wanted: NewKey, once: Once[CreatedKey]
) -> CreatedKey:
    """Make a key. The answer is held back a moment, so that a fresh key works at once.

    Raises:
        KeyNameUnfit, KeyScopesMissing, KeyExpiryUnfit, KeyNameTaken, KeyLimitReached, TooManySecrets: see there.
    """
    now = tools.clock.now()
    secret = key_format.mint()
    key = Key(
        id=KeyId(tools.ids.new("key")),
        substrate=substrate,
        name=key_rules.fit_name(wanted.name),
        prefix=key_format.shown(secret),
        scopes=key_rules.fit_scopes(wanted.scopes),
        namespaces=None,
        member=caller.member,
        state=State.LIVE,
        created_at=now,
        expires_at=key_rules.fit_expiry(wanted.expires_at, now),
        claim_by=None,
        claimed_at=None,
        revoked_at=None,
        last_used_at=None,
        last_client=None,
    )
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        # The substrate's lock makes the count hold: no other key is made meanwhile.
        row = await owned.claim_keyring(tx, caller, substrate)
        await key_pace.admit(tx, substrate, now)
        if await api_keys.count_live(tx, substrate) >= row.terms.named_keys:
            raise KeyLimitReached(shown={"plan": row.terms.id.value, "most": row.terms.named_keys})
        await api_keys.insert(tx, key)
        await insert_secret(tools, tx, key, secret, now)
        policy = await publish_change(tools, tx, row, now)
        facts = {"key": key.id, "name": key.name, "scopes": [scope.value for scope in key.scopes]}
        await audit.insert(tx, caller.account, acting(caller), "key.created", now, substrate=substrate, **facts)
        await once.keep(tx, CreatedKey(key, secret, propagated=False), now)
    return CreatedKey(key, secret, propagated=await carry(tools, row, policy.order))


async def insert_secret(tools: Tools, tx: Tx, key: Key, secret: ApiKey, now: datetime) -> None:
    """A secret that its customer is given at once, so that no copy is kept."""
    record = api_keys.Secret(
        id=KeySecretId(tools.ids.new("sec")),
        key=key.id,
        digest=key_format.digest(secret),
        prefix=key_format.shown(secret),
        created_at=now,
        not_after=key.expires_at,
    )
    await api_keys.insert_secret(tx, record)
