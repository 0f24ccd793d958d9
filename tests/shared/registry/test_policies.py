from datetime import timedelta

from shared.contracts import signed_policy
from shared.contracts.policy import Mode, Trust
from shared.keys.format import digest
from shared.lifecycle.substrate import Event
from shared.registry import policies, publishing, substrates
from tests.support.registry import NOW, SIGNER, SIGNING

TRUST = Trust(keys=(signed_policy.trusted_key(key_id=SIGNING.id, seed=SIGNING.value),))


async def test_the_policy_holds_the_plan_the_keys_and_the_mode_under_a_trusted_signature(database, tenant):
    policy = signed_policy.verify_for(tenant.policy.jws, TRUST, substrate=tenant.substrate)

    assert [grant.digest for grant in policy.keys] == [digest(tenant.secret)]
    assert (policy.plan, policy.limits.atoms, policy.mode, policy.order) == ("starter", 1000, Mode.RUNNING, (1, 1))
    assert tenant.secret not in tenant.policy.jws


async def test_each_change_makes_a_later_policy_and_deleting_changes_the_mode(database, tenant):
    async with database.transaction() as tx:
        await substrates.update_status(tx, tenant.substrate, Event.DELETION_ASKED, NOW)
        stored = await publishing.publish(tx, tenant.substrate, SIGNER, NOW, push_due_at=NOW)

    assert stored.order == (1, 2)
    assert signed_policy.verify(stored.jws, TRUST).mode is Mode.DELETING


async def test_a_new_epoch_beats_every_generation(database, tenant):
    async with database.transaction() as tx:
        await tx.run("UPDATE registry SET epoch = 2")
        stored = await publishing.publish(tx, tenant.substrate, SIGNER, NOW, push_due_at=None)

    assert stored.order > (1, 1_000_000)


async def test_an_acknowledgement_never_moves_backwards_and_keeps_a_newer_push_due(database, tenant):
    soon, later = NOW + timedelta(seconds=1), NOW + timedelta(minutes=10)
    async with database.transaction() as tx:
        newer = await publishing.publish(tx, tenant.substrate, SIGNER, NOW, push_due_at=soon)

        await policies.update_acknowledged(tx, tenant.substrate, (1, 1), NOW, next_push=later)
        assert await policies.list_push_due(tx, soon, 10) == [tenant.substrate]
        await policies.update_acknowledged(tx, tenant.substrate, newer.order, NOW, next_push=later)
        assert await policies.list_push_due(tx, soon, 10) == []
        await policies.update_acknowledged(tx, tenant.substrate, (1, 1), NOW, next_push=soon)

        assert (await policies.get(tx, tenant.substrate)).acknowledged == newer.order
        assert await policies.list_push_due(tx, soon, 10) == []
