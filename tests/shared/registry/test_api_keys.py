import asyncio
from datetime import timedelta

import pytest

from shared.contracts.policy import Ended
from shared.kernel.ids import KeyId
from shared.keys import sealing
from shared.keys.format import digest
from shared.lifecycle.api_key import State
from shared.registry import api_keys
from tests.support.registry import NOW, SEAL, sealed_key, subscribed


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
        (grant,) = await api_keys.list_grants(tx, tenant.substrate)
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
