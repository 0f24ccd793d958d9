import asyncio
from datetime import timedelta

import pytest

from shared.contracts import signed_policy
from shared.contracts.policy import Ended
from shared.kernel.clock import to_ms
from shared.kernel.ids import KeyId, KeySecretId
from shared.keys import format as key_format
from shared.keys import sealing
from shared.keys.format import digest
from shared.lifecycle.api_key import State
from shared.registry import api_keys, publishing
from tests.support.registry import NOW, SEAL, SIGNER, sealed_key, subscribed


async def test_of_fifty_claims_at_once_one_gets_the_secret_and_no_sealed_copy_is_left(database, tenant):
    async def claim():
        async with database.transaction() as tx:
            return await api_keys.claim_sealed(tx, tenant.substrate, tenant.key, NOW)

    claims = await asyncio.gather(*(claim() for _ in range(50)))

    (won,) = [found for found in claims if found]
    assert sealing.unseal(won.sealed, won.sealed_with, [SEAL], record=won.id) == tenant.secret
    async with database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM api_key_secret WHERE sealed IS NOT NULL") == 0
        key = await api_keys.find(tx, tenant.substrate, tenant.key)
    assert key is not None
    assert (key.state, key.claimed_at) == (State.LIVE, NOW)


async def test_a_claim_that_is_undone_can_be_made_again(database, tenant):
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            assert await api_keys.claim_sealed(tx, tenant.substrate, tenant.key, NOW)
            raise RuntimeError

    async with database.transaction() as tx:
        assert await api_keys.claim_sealed(tx, tenant.substrate, tenant.key, NOW)


async def test_a_key_cannot_be_claimed_after_its_time(database, tenant):
    async with database.transaction() as tx:
        assert await api_keys.claim_sealed(tx, tenant.substrate, tenant.key, NOW + timedelta(days=7)) is None


async def test_a_key_is_found_under_its_own_substrate_only(database, tenant):
    async with database.transaction() as tx:
        other = await subscribed(tx)
        assert await api_keys.find(tx, other.substrate, tenant.key) is None
        assert await api_keys.claim_sealed(tx, other.substrate, tenant.key, NOW) is None


async def test_a_name_is_taken_whatever_its_case_until_its_key_is_revoked(database, tenant):
    with pytest.raises(api_keys.KeyNameTaken):
        async with database.transaction() as tx:
            await sealed_key(tx, tenant.substrate, KeyId("key_2"), name="Default")

    async with database.transaction() as tx:
        await api_keys.update_state(
            tx, tenant.substrate, tenant.key, was=State.UNCLAIMED, becomes=State.REVOKED, now=NOW
        )
        await sealed_key(tx, tenant.substrate, KeyId("key_2"), name="Default")


async def test_an_ended_secret_stays_in_the_policy_with_its_end_and_loses_its_sealed_copy(database, tenant):
    later = NOW + timedelta(hours=1)

    async with database.transaction() as tx:
        await api_keys.update_secrets_ended(tx, tenant.key, Ended.REVOKED, NOW)
        await api_keys.update_secrets_ended(tx, tenant.key, Ended.ROTATED, later)
        (grant,) = await api_keys.list_grants(tx, tenant.substrate, NOW)
        sealed = await tx.value("SELECT sealed FROM api_key_secret WHERE key_id = :key", {"key": tenant.key})

    assert (grant.digest, grant.ended, grant.ended_at_ms) == (digest(tenant.secret), Ended.REVOKED, 1795262400000)
    assert sealed is None


async def test_the_last_use_never_moves_backwards(database, tenant):
    later = NOW + timedelta(minutes=5)

    async with database.transaction() as tx:
        await api_keys.update_last_used(tx, tenant.substrate, tenant.key, later, "cursor 1.2")
        await api_keys.update_last_used(tx, tenant.substrate, tenant.key, NOW, "older 0.1")
        key = await api_keys.find(tx, tenant.substrate, tenant.key)

    assert key is not None
    assert (key.last_used_at, key.last_client) == (later, "cursor 1.2")


async def rotated(tx, tenant, times, *, key=None, began=NOW):
    """A key rotated so often, an hour apart, without a grace; the secrets' texts, the oldest first."""
    key = key or tenant.key
    made = []
    for number in range(times):
        secret, now = key_format.mint(), began + timedelta(hours=number)
        await api_keys.update_secrets_rotated(tx, key, now, now)
        await api_keys.insert_secret(
            tx,
            api_keys.Secret(
                id=KeySecretId(f"sec_{key}_{number}"),
                key=key,
                digest=digest(secret),
                prefix=key_format.shown(secret),
                created_at=now,
                not_after=None,
            ),
        )
        made.append(secret)
    return made


async def test_however_often_a_key_is_rotated_its_policy_names_the_live_secret_and_the_newest_ended_ones(
    database, tenant
):
    async with database.transaction() as tx:
        made = await rotated(tx, tenant, 60)
        grants = await api_keys.list_grants(tx, tenant.substrate, NOW + timedelta(hours=60))

    assert [grant.digest for grant in grants] == [digest(secret) for secret in made[-6:]]
    assert [grant.ended for grant in grants] == [Ended.ROTATED] * 5 + [None]


async def test_an_ended_secret_leaves_the_policy_after_a_month_and_a_live_one_never(database, tenant):
    async with database.transaction() as tx:
        made = await rotated(tx, tenant, 2)
        grants = await api_keys.list_grants(tx, tenant.substrate, NOW + timedelta(days=400))

    assert [grant.digest for grant in grants] == [digest(made[-1])]


async def test_a_secret_in_its_grace_is_live_however_many_have_ended(database, tenant):
    now = NOW + timedelta(hours=20)
    async with database.transaction() as tx:
        made = await rotated(tx, tenant, 20)
        await api_keys.update_secrets_rotated(tx, tenant.key, now, now + timedelta(days=7))
        grants = await api_keys.list_grants(tx, tenant.substrate, now + timedelta(days=6))

    assert digest(made[-1]) in {grant.digest for grant in grants}
    assert len(grants) == 1 + api_keys.ENDED_MOST_OF_KEY


async def test_however_many_keys_were_revoked_the_policy_of_the_largest_plan_is_carried(database, tenant):
    """A hundred keys with the longest names, each with a live secret, one in its grace and ended ones; and revoked."""
    now = NOW + timedelta(days=1)
    async with database.transaction() as tx:
        for number in range(400):
            key = KeyId(f"key_{number}")
            await sealed_key(tx, tenant.substrate, key, name=f"{number:03}" + "\U0001f511" * 61)
            await rotated(tx, tenant, 7, key=key)
            if number < 300:
                await api_keys.update_state(
                    tx, tenant.substrate, key, was=State.UNCLAIMED, becomes=State.REVOKED, now=now
                )
                await api_keys.update_secrets_ended(tx, key, Ended.REVOKED, now)
            else:
                await api_keys.update_secrets_rotated(tx, key, now, now + timedelta(days=7))
                await rotated_once_more(tx, key, now)
        stored = await publishing.publish(tx, tenant.substrate, SIGNER, now, push_due_at=None)
        grants = await api_keys.list_grants(tx, tenant.substrate, now)

    live = [grant for grant in grants if grant.ended is None or (grant.ended_at_ms or 0) > to_ms(now)]
    assert len(live) == 201
    assert len(grants) == len(live) + api_keys.ENDED_MOST
    assert len(stored.jws) < signed_policy.MAX_BYTES / 4


async def rotated_once_more(tx, key, now):
    """The secret in use beside one in its grace."""
    secret = key_format.mint()
    await api_keys.insert_secret(
        tx,
        api_keys.Secret(
            id=KeySecretId(f"sec_{key}_live"),
            key=key,
            digest=digest(secret),
            prefix=key_format.shown(secret),
            created_at=now,
            not_after=None,
        ),
    )
