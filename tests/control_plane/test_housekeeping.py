"""What happens although nobody asks."""

from datetime import timedelta

from control_plane.actions.lapse_api_keys import lapse_api_keys
from shared.registry import policies
from tests.control_plane.conftest import served


async def test_keys_that_nobody_claims_are_destroyed_in_time(plane, customer):
    late = (await customer.subscribe())["substrate"]["id"]
    claimed = (await customer.subscribe())["substrate"]["id"]
    await customer.post(f"/substrates/{claimed}/keys/{await customer.first_key(claimed)}/claim")
    plane.clock.ahead = timedelta(days=7)
    async with plane.tools.database.transaction() as tx:
        before = await policies.get(tx, late)

    changed = await lapse_api_keys(plane.tools)

    assert changed == 1
    states = {
        substrate: (await customer.get(f"/substrates/{substrate}/keys")).json()["keys"][0]["state"]
        for substrate in (late, claimed)
    }
    assert states == {late: "unclaimed_expired", claimed: "live"}
    assert ("push_policy", late) in plane.doorbell.told
    async with plane.tools.database.transaction() as tx:
        assert (await policies.get(tx, late)).order > before.order
        assert await tx.value("SELECT count(*) FROM api_key_secret WHERE sealed IS NOT NULL") == 0


async def test_nothing_is_done_twice(plane, customer):
    await customer.subscribe()
    plane.clock.ahead = timedelta(days=7)

    assert [await lapse_api_keys(plane.tools), await lapse_api_keys(plane.tools)] == [1, 0]


async def test_where_mail_goes_out_a_trial_needs_a_confirmed_address(settings):
    async with served(settings.model_copy(update={"confirm_mail": True})) as plane:
        customer = await plane.customer()
        refused = await customer.post("/subscriptions", {"plan": "starter", "trial": True})
        (letter,) = (plane.state_dir / "outbox").glob("*.eml")
        code = letter.read_text().split("loam account confirm ")[1].split()[0]
        await plane.http.post("/v1/confirmations", json={"code": code})

        assert refused.status_code == 403
        assert refused.json()["code"] == "email_unconfirmed"
        assert (await customer.subscribe(trial=True))["subscription"]["trial"] is True


async def test_a_deletion_whose_work_failed_can_be_asked_for_again(plane, customer):
    substrate = await plane.running(customer)
    first = (await customer.delete(f"/substrates/{substrate}")).json()["operation"]["id"]
    async with plane.tools.database.transaction() as tx:
        await tx.run("UPDATE operation SET status = 'failed' WHERE id = :id", {"id": first})

    second = await customer.delete(f"/substrates/{substrate}")

    assert second.status_code == 202
    assert second.json()["operation"]["id"] != first


async def test_what_is_deleted_stays_so(plane, customer):
    substrate = await plane.running(customer)
    await customer.delete(f"/substrates/{substrate}")
    async with plane.tools.database.transaction() as tx:
        await tx.run("UPDATE operation SET status = 'succeeded'")
        await tx.run("UPDATE substrate SET status = 'deleted'")

    answer = await customer.delete(f"/substrates/{substrate}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "already_deleted"
