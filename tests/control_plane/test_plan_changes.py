"""Changing the plan: up and down, and what does not fit."""

import pytest

from control_plane.actions.settle_account import mark_past_due
from provisioner.host_keys import HostKeys
from shared.contracts.signed_policy import verify
from shared.lifecycle.operation import Status
from shared.plans import PLANS, PlanId
from shared.registry import operations, policies, substrates
from shared.registry.audit import Actor, ActorKind
from shared.registry.substrates import Usage

OPERATOR = Actor(ActorKind.STAFF, "operator")


@pytest.fixture
async def bought(plane, customer):
    found = await customer.subscribe("solo")
    await plane.worker.start(found)
    return found


async def use(plane, substrate, *, atoms=0, storage=0):
    now = plane.clock.now()
    async with plane.tools.database.transaction() as tx:
        await substrates.update_usage(tx, substrate, Usage(atoms, storage, 0, f"{now:%Y-%m}", None, None, now))


async def change(customer, bought, plan, **more):
    return await customer.post(f"/subscriptions/{bought['subscription']['id']}/change", {"plan": plan}, **more)


async def finish(plane, operation):
    """As the worker does at the end of its program."""
    now = plane.clock.now()
    async with plane.tools.database.transaction() as tx:
        held = await operations.claim_lease(tx, operation, "worker", now, now)
        assert held is not None
        await operations.update_ended(tx, held[1], Status.SUCCEEDED, now, steps=(), error=None)


@pytest.mark.parametrize("plan", ["starter", "pro", "team"])
async def test_a_plan_changes_in_place(plane, customer, bought, plan):
    substrate = bought["substrate"]["id"]
    before = (await customer.get(f"/substrates/{substrate}")).json()

    answer = await change(customer, bought, plan)

    assert answer.status_code == 202
    found = answer.json()
    assert (found["subscription"]["plan"], found["operation"]["kind"]) == (plan, "change_plan")
    assert found["substrate"]["mcp_endpoint"] == before["mcp_endpoint"]
    assert found["substrate"]["atoms"]["limit"] == PLANS[PlanId(plan)].atoms
    assert ("advance", found["operation"]["id"]) in plane.doorbell.told
    async with plane.tools.database.transaction() as tx:
        stored = await policies.get(tx, substrate)
        spec = (await substrates.get(tx, substrate)).spec
    policy = verify(stored.jws, HostKeys(plane.state_dir / "secrets").trust())
    assert (policy.plan, policy.limits) == (plan, PLANS[PlanId(plan)].limits)
    assert (spec.memory_mb, spec.placement) == (PLANS[PlanId(plan)].memory_mb, PLANS[PlanId(plan)].placement)


async def test_there_and_back_again(plane, customer, bought):
    for plan in ("team", "starter", "solo"):
        answer = await change(customer, bought, plan)
        assert answer.status_code == 202, answer.text
        await finish(plane, answer.json()["operation"]["id"])

    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["plan"] == "solo"


async def test_a_plan_that_is_too_small_says_what_to_remove(plane, customer, bought):
    path = f"/substrates/{bought['substrate']['id']}/keys"
    for name in ("a", "b", "c"):
        await customer.post(path, {"name": name})
    await use(plane, bought["substrate"]["id"], atoms=1_200, storage=150 * 1024 * 1024)

    answer = await change(customer, bought, "starter")

    assert (answer.status_code, answer.json()["code"]) == (409, "plan_too_small")
    for words in ("200 of 1,200 atoms", "bytes of storage", "1 of 4 keys"):
        assert words in answer.json()["detail"]
    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["plan"] == "solo"


async def test_what_just_fits_fits(plane, customer, bought):
    await use(plane, bought["substrate"]["id"], atoms=1_000, storage=100 * 1024 * 1024)

    assert (await change(customer, bought, "starter")).status_code == 202


async def test_the_same_plan_is_no_change(customer, bought):
    answer = await change(customer, bought, "solo")

    assert (answer.status_code, answer.json()["code"]) == (409, "plan_unchanged")


async def test_one_change_at_a_time(customer, bought):
    await change(customer, bought, "pro")

    answer = await change(customer, bought, "starter")

    assert (answer.status_code, answer.json()["code"]) == (409, "operation_under_way")
    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["plan"] == "pro"


async def test_asking_twice_with_one_key_changes_once(customer, bought):
    headers = {"Idempotency-Key": "once"}

    first, second = [await change(customer, bought, "pro", headers=headers) for _ in range(2)]

    assert first.json() == second.json()


async def test_what_is_unpaid_is_paid_first(plane, customer, bought):
    await mark_past_due(plane.tools, OPERATOR, bought["subscription"]["id"])

    answer = await change(customer, bought, "pro")

    assert (answer.status_code, answer.json()["code"]) == (409, "plan_not_changeable")


async def test_what_is_not_running_yet_does_not_change(customer):
    answer = await change(customer, await customer.subscribe(), "pro")

    assert (answer.status_code, answer.json()["code"]) == (409, "plan_not_changeable")


async def test_a_trial_stays_shared(plane, customer):
    found = await customer.subscribe(trial=True)
    await plane.worker.start(found)

    assert (await change(customer, found, "pro")).json()["subscription"]["state"] == "trialing"
    assert (await change(customer, found, "team")).json()["code"] == "trial_needs_operator"


@pytest.mark.parametrize(("body", "code"), [({"plan": "huge"}, "unknown_plan"), ({}, "invalid_request")])
async def test_a_malformed_wish_is_refused(customer, bought, body, code):
    answer = await customer.post(f"/subscriptions/{bought['subscription']['id']}/change", body)

    assert answer.json()["code"] == code


async def test_a_crash_in_the_middle_leaves_the_old_plan(customer, bought, monkeypatch):
    async def crash(*_arguments, **_options):
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr("shared.registry.audit.insert", crash)
        assert (await change(customer, bought, "pro")).status_code == 500

    assert (await customer.get("/subscriptions")).json()["subscriptions"][0]["plan"] == "solo"
