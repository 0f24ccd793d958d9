"""A registry with something in it: an account that has subscribed, as the control plane would have written it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared import plans
from shared.contracts.operations import Kind
from shared.contracts.policy import DEFAULT_SCOPES
from shared.kernel.ids import (
    AccountId,
    Ids,
    KeyId,
    KeySecretId,
    MemberId,
    OperationId,
    RandomIds,
    SubscriptionId,
    SubstrateId,
)
from shared.kernel.secret_files import Secret
from shared.keys import format as key_format
from shared.keys import sealing
from shared.keys.format import ApiKey
from shared.lifecycle import api_key, subscription
from shared.registry import accounts, api_keys, operations, publishing, subscriptions, substrates
from shared.registry.database import Database, Tx
from shared.registry.policies import StoredPolicy

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SEAL: Final = Secret("1", b"s" * 32)
SIGNING: Final = Secret("1", b"p" * 32)
PROBE: Final = Secret("1", b"q" * 32)
BACKUP: Final = Secret("1", b"b" * 32)
SIGNER: Final = publishing.Signer(SIGNING, PROBE, publishing.Addresses("loam.localhost", 8443))


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What one subscription left behind."""

    account: AccountId
    member: MemberId
    substrate: SubstrateId
    key: KeyId
    secret: ApiKey
    operation: OperationId
    policy: StoredPolicy


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    """The registry at an address, closed at the end."""
    database = await Database.connect(url)
    try:
        yield database
    finally:
        await database.close()


async def subscribed(tx: Tx, *, plan: str = "starter", now: datetime = NOW, ids: Ids | None = None) -> Subscribed:
    """An account with a substrate that waits to be provisioned, its first key sealed."""
    ids = ids or RandomIds()
    account, member = AccountId(ids.new("ten")), MemberId(ids.new("mem"))
    bought, substrate = SubscriptionId(ids.new("bil")), SubstrateId(ids.new("sub"))
    key, operation = KeyId(ids.new("key")), OperationId(ids.new("op"))
    await accounts.insert(tx, account, now)
    await accounts.insert_member(
        tx, accounts.Member(member, account, f"{account}@example.org", "no hash", "owner", now)
    )
    await subscriptions.insert(
        tx,
        subscriptions.Subscription(
            bought, account, plans.get(plan), False, subscription.State.ACTIVE, now, now + timedelta(days=30), now
        ),
    )
    await substrates.insert(tx, substrate, account, bought, ids.slug(), now)
    secret = await sealed_key(tx, substrate, key, now=now)
    await operations.insert(tx, operation, Kind.START_SUBSTRATE, account, substrate, now)
    policy = await publishing.publish(tx, substrate, SIGNER, now, push_due_at=None)
    return Subscribed(account, member, substrate, key, secret, operation, policy)


async def sealed_key(
    tx: Tx, substrate: SubstrateId, key: KeyId, *, now: datetime = NOW, name: str = "default"
) -> ApiKey:
    """An unclaimed key with its secret sealed."""
    secret, record = key_format.mint(), KeySecretId(RandomIds().new("sec"))
    await api_keys.insert(
        tx,
        api_keys.Key(
            id=key,
            substrate=substrate,
            name=name,
            prefix=key_format.shown(secret),
            scopes=DEFAULT_SCOPES,
            namespaces=None,
            member=None,
            state=api_key.State.UNCLAIMED,
            created_at=now,
            expires_at=None,
            claim_by=now + timedelta(days=7),
            claimed_at=None,
            revoked_at=None,
            last_used_at=None,
            last_client=None,
        ),
    )
    await api_keys.insert_secret(
        tx,
        api_keys.Secret(
            id=record,
            key=key,
            digest=key_format.digest(secret),
            prefix=key_format.shown(secret),
            created_at=now,
            not_after=None,
            sealed=sealing.seal(secret, SEAL, record=record),
            sealed_with=SEAL.id,
        ),
    )
    return secret
