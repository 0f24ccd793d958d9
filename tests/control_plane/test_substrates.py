"""Substrates: where they are, what they use, and how they end."""

import asyncio
import time
from datetime import timedelta

import pytest

from shared.contracts.operations import CHANNEL_USAGE
from shared.registry import policies, substrates
from shared.registry.substrates import Usage


@pytest.fixture
async def substrate(plane, customer):
    return await plane.running(customer)


def usage(plane, *, atoms=12, bootstraps=3, month=None):
    now = plane.clock.now()
    return Usage(atoms, 4096, bootstraps, month or f"{now:%Y-%m}", now, "claude-code 2.0", now)


async def observe(plane, substrate, seen):
    async with plane.tools.database.transaction() as tx:
        await substrates.update_usage(tx, substrate, seen)
        await tx.notify(CHANNEL_USAGE, substrate)


async def test_a_substrate_says_where_it_is_and_what_it_may_use(customer, substrate):
    found = (await customer.get(f"/substrates/{substrate}")).json()

    assert found["status"] == "running"
    assert found["instance_url"] == f"https://{found['slug']}.loam.localhost:8443"
    assert found["plan"] == "starter"
    assert found["asleep"] is False
    assert found["atoms"] == {"used": 0, "limit": 1000}
    assert found["storage_bytes"] == {"used": 0, "limit": 100 * 1024 * 1024}
    assert found["bootstraps"]["limit"] == 200
    assert found["observed_at"] is None


async def test_figures_are_fetched_when_they_are_old(plane, customer, substrate):
    plane.doorbell.answers["observe"] = lambda asked: asyncio.ensure_future(observe(plane, asked, usage(plane)))

    found = (await customer.get(f"/substrates/{substrate}")).json()

    assert found["atoms"]["used"] == 12
    assert found["bootstraps"]["used"] == 3
    assert found["storage_bytes"]["used"] == 4096
    assert found["last_client"] == "claude-code 2.0"


async def test_fresh_figures_are_not_fetched_again(plane, customer, substrate):
    await observe(plane, substrate, usage(plane))

    await customer.get(f"/substrates/{substrate}")

    assert ("observe", substrate) not in plane.doorbell.told


async def test_a_server_that_does_not_answer_delays_nobody(plane, customer, substrate):
    await observe(plane, substrate, usage(plane))
    plane.clock.ahead = timedelta(minutes=5)
    began = time.monotonic()

    found = (await customer.get(f"/substrates/{substrate}")).json()

    assert time.monotonic() - began < 2
    assert found["atoms"]["used"] == 12
    assert ("observe", substrate) in plane.doorbell.told


async def test_last_months_bootstraps_do_not_count(plane, customer, substrate):
    await observe(plane, substrate, usage(plane, month="2001-01"))

    assert (await customer.get(f"/substrates/{substrate}")).json()["bootstraps"]["used"] == 0


async def test_a_reader_that_knows_the_state_is_sent_nothing(plane, customer, substrate):
    await observe(plane, substrate, usage(plane))
    tag = (await customer.get(f"/substrates/{substrate}")).headers["etag"]

    answer = await customer.get(f"/substrates/{substrate}", headers={"If-None-Match": tag})

    assert answer.status_code == 304
    assert answer.content == b""


async def test_substrates_are_listed(customer, stranger, substrate):
    mine, theirs = (await customer.get("/substrates")).json(), (await stranger.get("/substrates")).json()

    assert [one["id"] for one in mine["substrates"]] == [substrate]
    assert theirs["substrates"] == []


async def test_deleting_at_once_closes_the_instance_and_ends_the_subscription(plane, customer, substrate):
    answer = await customer.erase(substrate)

    assert answer.status_code == 202
    operation = answer.json()["operation"]
    assert operation["kind"] == "destroy_substrate"
    assert ("advance", operation["id"]) in plane.doorbell.told
    assert ("push_policy", substrate) in plane.doorbell.told
    found = (await customer.get(f"/substrates/{substrate}")).json()
    assert found["status"] == "deleting"
    assert found["operation_id"] == operation["id"]
    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["state"] == "canceled"


async def test_deleting_calls_off_the_start(customer):
    subscribed = await customer.subscribe()

    await customer.delete(f"/substrates/{subscribed['substrate']['id']}")

    start = (await customer.get(f"/operations/{subscribed['operation']['id']}")).json()
    assert start["status"] == "canceled"


async def test_deleting_twice_is_deleting_once(customer, substrate):
    answers = await asyncio.gather(*(customer.erase(substrate) for _ in range(5)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["operation"]["id"] for answer in answers}) == 1


async def test_a_substrate_that_is_being_deleted_has_no_keys_to_change(customer, substrate):
    key = await customer.first_key(substrate)
    await customer.erase(substrate)
    path = f"/substrates/{substrate}/keys"

    answers = [
        await customer.post(path, {"name": "a"}),
        await customer.post(f"{path}/{key}/claim"),
        await customer.post(f"{path}/{key}/rotate", {"grace": "0"}),
        await customer.delete(f"{path}/{key}"),
    ]

    assert {answer.json()["code"] for answer in answers} == {"substrate_deleted"}


async def test_a_deletion_that_crashes_in_the_middle_changes_nothing(plane, customer, substrate, monkeypatch):
    async def crash(*_arguments, **_options):
        raise RuntimeError("the power went out")

    async with plane.tools.database.transaction() as tx:
        before = await policies.get(tx, substrate)
    with monkeypatch.context() as patch:
        patch.setattr("shared.registry.audit.insert", crash)
        assert (await customer.erase(substrate)).status_code == 500

    assert (await customer.get(f"/substrates/{substrate}")).json()["status"] == "running"
    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["state"] == "active"
    async with plane.tools.database.transaction() as tx:
        assert await policies.get(tx, substrate) == before


async def test_what_was_done_is_in_the_audit(plane, customer, substrate):
    await customer.erase(substrate)

    async with plane.tools.database.transaction() as tx:
        rows = await tx.rows("SELECT action FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == ["account.signed_up", "subscription.taken", "substrate.deletion_asked"]
