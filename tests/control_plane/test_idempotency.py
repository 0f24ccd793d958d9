"""A request sent twice is carried out once."""

import asyncio
from datetime import timedelta

import pytest

from control_plane.actions import forget_answers
from shared.registry import idempotency
from tests.control_plane.conftest import PASSWORD

KEY = {"Idempotency-Key": "5f0d2b0e-order-1"}
BODY = {"plan": "starter", "trial": False}


async def test_the_same_request_again_gets_the_same_answer(customer):
    first = await customer.post("/subscriptions", BODY, headers=KEY)
    second = await customer.post("/subscriptions", BODY, headers=KEY)

    assert second.status_code == first.status_code == 202
    assert second.json() == first.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len((await customer.get("/subscriptions")).json()["subscriptions"]) == 1


async def test_however_many_send_it_at_once_it_is_carried_out_once(customer):
    answers = await asyncio.gather(*(customer.post("/subscriptions", BODY, headers=KEY) for _ in range(10)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"idempotency_in_progress"}
    assert len((await customer.get("/subscriptions")).json()["subscriptions"]) == 1


async def test_while_the_first_runs_the_second_is_told_to_wait(plane, customer):
    account = (await customer.get("/account")).json()["account"]["id"]
    async with plane.tools.database.transaction() as tx:
        assert await idempotency.claim(tx, account, KEY["Idempotency-Key"])

        answer = await customer.post("/subscriptions", BODY, headers=KEY)

    assert answer.status_code == 409
    assert answer.json()["code"] == "idempotency_in_progress"


async def test_the_same_key_for_another_request_is_refused(customer):
    await customer.post("/subscriptions", BODY, headers=KEY)

    answer = await customer.post("/subscriptions", {**BODY, "plan": "solo"}, headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_mismatch"


async def test_keys_of_different_customers_never_meet(customer, stranger):
    first = await customer.post("/subscriptions", BODY, headers=KEY)

    second = await stranger.post("/subscriptions", BODY, headers=KEY)

    assert second.status_code == 202
    assert second.json()["substrate"]["id"] != first.json()["substrate"]["id"]


async def test_a_refused_request_may_be_corrected_under_the_same_key(customer):
    refused = await customer.post("/subscriptions", {**BODY, "plan": "gigantic"}, headers=KEY)

    assert refused.status_code == 422
    assert (await customer.post("/subscriptions", BODY, headers=KEY)).status_code == 202


async def test_a_replay_never_shows_a_secret(plane, customer):
    substrate = (await customer.subscribe())["substrate"]["id"]
    key = await customer.first_key(substrate)
    for path, body in (
        (f"/substrates/{substrate}/keys", {"name": "laptop"}),
        (f"/substrates/{substrate}/keys/{key}/claim", None),
        (f"/substrates/{substrate}/keys/{key}/rotate", {"grace": "0"}),
    ):
        headers = {"Idempotency-Key": path}
        first = await customer.post(path, body, headers=headers)
        second = await customer.post(path, body, headers=headers)

        assert first.is_success
        assert second.status_code == 409
        assert second.json()["code"] == "secret_already_shown"
        assert first.json()["secret"] not in second.text


async def test_a_sign_up_that_is_sent_again_shows_no_token(plane):
    body = {"email": "ada@example.org", "password": PASSWORD}
    first = await plane.http.post("/v1/signup", json=body, headers=KEY)
    second = await plane.http.post("/v1/signup", json=body, headers=KEY)

    assert first.status_code == 201
    assert second.status_code == 409
    assert second.json()["code"] == "secret_already_shown"


async def test_nothing_kept_lets_a_password_be_guessed_quickly(plane):
    import hashlib  # noqa: PLC0415

    body = b'{"email":"ada@example.org","password":"correct horse battery"}'
    await plane.http.post("/v1/signup", content=body, headers={**KEY, "Content-Type": "application/json"})

    async with plane.tools.database.transaction() as tx:
        kept = await tx.value("SELECT request FROM idempotency")
    assert kept not in {hashlib.sha256(body).digest(), hashlib.sha256(b"POST\0/v1/signup\0" + body).digest()}


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "caf\u00e9"])
async def test_a_malformed_key_is_refused(customer, key):
    answer = await customer.post("/subscriptions", BODY, headers={"Idempotency-Key": key.encode()})

    assert answer.status_code == 400


async def test_answers_are_kept_for_a_week_and_then_forgotten(plane, customer):
    first = (await customer.post("/subscriptions", BODY, headers=KEY)).json()
    plane.clock.ahead = forget_answers.KEPT_FOR - timedelta(minutes=1)
    kept = await forget_answers.forget_answers(plane.tools)
    again = await customer.post("/subscriptions", BODY, headers=KEY)
    plane.clock.ahead = forget_answers.KEPT_FOR + timedelta(minutes=1)
    forgotten = await forget_answers.forget_answers(plane.tools)

    assert again.json() == first
    assert kept == 0
    assert forgotten >= 1
    async with plane.tools.database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM idempotency") == 0
