from datetime import timedelta

import pytest

from shared.kernel.ids import SubscriptionId, SubstrateId
from shared.lifecycle.substrate import Event, Status
from shared.lifecycle.transitions import TransitionRefused
from shared.registry import audit, idempotency, subscriptions, substrates
from tests.support.registry import NOW, subscribed


async def test_a_substrate_becomes_ready_once_and_remembers_when(database, tenant):
    async with database.transaction() as tx:
        assert await substrates.update_status(tx, tenant.substrate, Event.BECAME_READY, NOW) is Status.RUNNING
        with pytest.raises(TransitionRefused):
            await substrates.update_status(tx, tenant.substrate, Event.BECAME_READY, NOW)

        assert (await substrates.get(tx, tenant.substrate)).ready_at == NOW


async def test_a_slug_is_never_given_again_even_after_its_substrate_is_gone(database, tenant):
    async with database.transaction() as tx:
        row = await substrates.get(tx, tenant.substrate)
        await substrates.update_status(tx, tenant.substrate, Event.DELETION_ASKED, NOW)
        await substrates.update_status(tx, tenant.substrate, Event.TORN_DOWN, NOW)

        assert not await substrates.insert(
            tx, SubstrateId("sub_2"), row.account, SubscriptionId(row.subscription), row.slug, NOW
        )


async def test_every_substrate_has_a_user_id_of_its_own(database, tenant):
    async with database.transaction() as tx:
        other = await subscribed(tx)
        found = {(await substrates.get(tx, each)).uid for each in (tenant.substrate, other.substrate)}

    assert len(found) == 2
    assert min(found) >= 200_000


async def test_a_plan_in_use_keeps_its_terms(database, tenant):
    async with database.transaction() as tx:
        await tx.run("UPDATE subscription SET terms = jsonb_set(terms, '{atoms}', '7')")

        assert (await substrates.get(tx, tenant.substrate)).terms.limits.atoms == 7


async def test_an_older_observation_of_usage_changes_nothing(database, tenant):
    def usage(atoms, at):
        return substrates.Usage(atoms, 1, 0, "2026-11", None, None, at)

    async with database.transaction() as tx:
        await substrates.update_usage(tx, tenant.substrate, usage(5, NOW))
        await substrates.update_usage(tx, tenant.substrate, usage(3, NOW - timedelta(seconds=1)))
        found = await substrates.find_usage(tx, tenant.substrate)

    assert found is not None
    assert found.atoms == 5


async def test_an_account_has_one_trial(database, tenant):
    async with database.transaction() as tx:
        row = await substrates.get(tx, tenant.substrate)
        bought = await subscriptions.get(tx, row.subscription)

    def trial(name):
        return subscriptions.Subscription(
            SubscriptionId(name), bought.account, bought.terms, True, bought.state, NOW, NOW + timedelta(days=14), NOW
        )

    async with database.transaction() as tx:
        await subscriptions.insert(tx, trial("bil_a"))
    with pytest.raises(subscriptions.TrialTaken):
        async with database.transaction() as tx:
            await subscriptions.insert(tx, trial("bil_b"))


@pytest.mark.parametrize("sql", ["DELETE FROM audit", "UPDATE audit SET action = 'nothing'"])
async def test_what_was_done_cannot_be_rewritten(database, tenant, sql):
    async with database.transaction() as tx:
        await audit.insert(tx, tenant.account, audit.Actor(audit.ActorKind.SYSTEM, "test"), "looked", NOW)

    with pytest.raises(Exception, match="append-only"):
        async with database.transaction() as tx:
            await tx.run(sql)


async def test_a_kept_answer_is_found_under_its_own_scope_only_and_its_key_is_held_while_a_request_runs(database):
    async with database.transaction() as first, database.transaction() as second:
        assert await idempotency.claim(first, "ten_a", "k")
        assert not await idempotency.claim(second, "ten_a", "k")
        assert await idempotency.claim(second, "ten_b", "k")
        await idempotency.insert(first, "ten_a", "k", idempotency.KeptAnswer(b"r" * 32, 201, None), NOW)

    async with database.transaction() as tx:
        assert await idempotency.find(tx, "ten_a", "k") == idempotency.KeptAnswer(b"r" * 32, 201, None)
        assert await idempotency.find(tx, "ten_b", "k") is None
