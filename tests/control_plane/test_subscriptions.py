"""Taking a plan."""

import asyncio

import pytest

from shared.registry import audit, operations


async def test_a_subscription_answers_at_once_with_an_operation_to_follow(plane, customer):
    answer = await customer.post("/subscriptions", {"plan": "starter", "trial": False})

    assert answer.status_code == 202
    found = answer.json()
    assert found["subscription"]["state"] == "active"
    assert found["substrate"]["status"] == "provisioning"
    assert found["substrate"]["mcp_endpoint"] == f"https://{found['substrate']['slug']}.loam.localhost:8443/mcp"
    assert found["operation"]["kind"] == "start_substrate"
    assert ("advance", found["operation"]["id"]) in plane.doorbell.told


async def test_a_trial_is_free_and_lasts_fourteen_days(customer):
    found = await customer.subscribe(trial=True)

    assert found["subscription"]["trial"] is True
    assert found["subscription"]["state"] == "trialing"


async def test_an_account_has_one_trial(customer):
    await customer.subscribe(trial=True)

    answer = await customer.post("/subscriptions", {"plan": "solo", "trial": True})

    assert answer.status_code == 409
    assert answer.json()["code"] == "trial_taken"


async def test_an_account_has_one_trial_however_many_ask_at_once(customer):
    answers = await asyncio.gather(
        *(customer.post("/subscriptions", {"plan": "starter", "trial": True}) for _ in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7


async def test_a_dedicated_trial_needs_an_operator(customer):
    answer = await customer.post("/subscriptions", {"plan": "team", "trial": True})

    assert answer.status_code == 403
    assert answer.json()["code"] == "trial_needs_operator"


async def test_a_dedicated_subscription_does_not(customer):
    found = await customer.subscribe("team")

    assert found["substrate"]["bootstraps"]["limit"] is None


async def test_an_unknown_plan_is_refused_with_the_way_to_the_list(customer):
    answer = await customer.post("/subscriptions", {"plan": "gigantic", "trial": False})

    assert answer.status_code == 422
    assert answer.json()["code"] == "unknown_plan"


@pytest.mark.parametrize(
    "body",
    [{}, {"plan": 1}, {"plan": "starter", "trial": "yes"}, {"plan": "starter", "coupon": "x"}, [], "starter", None],
)
async def test_a_malformed_request_is_refused(customer, body):
    answer = await customer.call("POST", "/subscriptions", json=body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


async def test_subscriptions_are_listed_page_by_page(customer):
    made = [(await customer.subscribe())["subscription"]["id"] for _ in range(3)]

    first = (await customer.get("/subscriptions?limit=2")).json()
    second = (await customer.get(f"/subscriptions?limit=2&cursor={first['next_cursor']}")).json()

    assert [one["id"] for one in first["subscriptions"] + second["subscriptions"]] == made[::-1]
    assert second["next_cursor"] is None


async def test_a_made_up_cursor_is_refused(customer):
    answer = await customer.get("/subscriptions?cursor=bm9ib2R5")

    assert answer.status_code == 400
    assert answer.json()["code"] == "cursor_unknown"


async def test_strangers_do_not_see_it(customer, stranger):
    await customer.subscribe()

    assert (await stranger.get("/subscriptions")).json()["subscriptions"] == []


async def test_plans_are_public(plane):
    found = (await plane.http.get("/v1/plans")).json()

    assert [plan["id"] for plan in found["plans"]] == ["starter", "solo", "pro", "team"]
    assert found["plans"][0]["price_cents"] == 300


@pytest.mark.parametrize("module", [operations, audit])
async def test_a_crash_in_the_middle_leaves_nothing(plane, customer, monkeypatch, module):
    async def crash(*_arguments, **_options):
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(module, "insert", crash)
        answer = await customer.post("/subscriptions", {"plan": "starter", "trial": True})

    assert answer.status_code == 500
    assert (await customer.get("/subscriptions")).json()["subscriptions"] == []
    assert (await customer.get("/substrates")).json()["substrates"] == []
    assert plane.doorbell.told == []
    assert (await customer.subscribe(trial=True))["subscription"]["trial"] is True
