"""Keys: claimed once, created, rotated, revoked."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from control_plane.actions import key_pace
from shared.contracts import signed_policy
from shared.contracts.policy import Policy, Trust
from shared.kernel.clock import from_ms
from shared.keys import format as key_format
from shared.keys.verdict import KeyRefused, KeyRevoked, KeyRotated, KeyTable
from shared.registry import policies


async def policy_of(plane, substrate) -> Policy:
    """What the instance is told, as it would read it."""
    async with plane.tools.database.transaction() as tx:
        stored = await policies.get(tx, substrate)
    signing = plane.tools.signer.signing
    trust = Trust(keys=(signed_policy.trusted_key(key_id=signing.id, seed=signing.value),))
    return signed_policy.verify_for(stored.jws, trust, substrate=substrate)


async def admits(plane, substrate, secret, *, after=timedelta(0)):
    return KeyTable.of(await policy_of(plane, substrate)).admit(secret, plane.clock.now() + after)


@pytest.fixture
async def substrate(plane, customer):
    return await plane.running(customer)


@pytest.fixture
def acknowledged(plane):
    """The instance takes every policy at once, as it does in life."""
    tasks = []
    plane.doorbell.answers["push_policy"] = lambda substrate: tasks.append(
        asyncio.ensure_future(plane.worker.acknowledge(substrate))
    )


async def test_the_first_key_waits_to_be_claimed(customer, substrate):
    (key,) = (await customer.get(f"/substrates/{substrate}/keys")).json()["keys"]

    assert key["name"] == "default"
    assert key["state"] == "unclaimed"
    assert key["scopes"] == ["read", "write", "export"]
    assert len(key["prefix"]) == 8
    assert "secret" not in key


async def test_a_claim_shows_the_key_once_and_it_opens_the_instance(plane, customer, substrate):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/claim"

    first, second = await customer.post(path), await customer.post(path)

    assert first.status_code == 200
    secret = first.json()["secret"]
    assert key_format.flaw_of(secret) is None
    assert first.json()["key"]["state"] == "live"
    assert (await admits(plane, substrate, secret)).name == "default"
    assert second.status_code == 409
    assert second.json()["code"] == "already_claimed"
    assert secret not in second.text


async def test_of_fifty_claims_at_once_exactly_one_wins(customer, substrate):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/claim"

    answers = await asyncio.gather(*(customer.post(path) for _ in range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_claimed"}


async def test_a_key_may_be_claimed_while_the_instance_is_being_made(customer):
    subscribed = await customer.subscribe()
    substrate = subscribed["substrate"]["id"]

    answer = await customer.post(f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/claim")

    assert answer.status_code == 200


async def test_a_key_that_nobody_claims_in_time_is_destroyed(plane, customer, substrate):
    key = await customer.first_key(substrate)
    plane.clock.ahead = timedelta(days=7)

    answers = [await customer.post(f"/substrates/{substrate}/keys/{key}/claim") for _ in range(2)]

    assert [answer.json()["code"] for answer in answers] == ["unclaimed_expired"] * 2
    (shown,) = (await customer.get(f"/substrates/{substrate}/keys")).json()["keys"]
    assert shown["state"] == "unclaimed_expired"
    async with plane.tools.database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM api_key_secret WHERE sealed IS NOT NULL") == 0


async def test_a_key_that_was_not_claimed_in_time_is_rotated_into_a_live_one(plane, customer, substrate):
    key = await customer.first_key(substrate)
    plane.clock.ahead = timedelta(days=8)
    await customer.post(f"/substrates/{substrate}/keys/{key}/claim")

    answer = await customer.post(f"/substrates/{substrate}/keys/{key}/rotate", {"grace": "0"})

    assert answer.status_code == 200
    assert answer.json()["key"]["state"] == "live"
    assert await admits(plane, substrate, answer.json()["secret"])


async def test_a_sealed_key_that_cannot_be_opened_is_not_lost(plane, customer, substrate, monkeypatch):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/claim"
    with monkeypatch.context() as patch:
        patch.setattr("control_plane.actions.claim_api_key.unseal", _broken)
        assert (await customer.post(path)).json()["code"] == "seal_broken"

    assert (await customer.post(path)).status_code == 200


def _broken(*_arguments, **_options):
    from shared.keys.sealing import CannotOpen  # noqa: PLC0415

    raise CannotOpen("sec")


async def test_a_created_key_works_at_once(plane, customer, substrate, acknowledged):
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "laptop", "scopes": ["read"]})

    assert answer.status_code == 201
    found = answer.json()
    assert found["propagated"] is True
    assert found["key"]["name"] == "laptop"
    assert found["key"]["prefix"] == found["secret"][:8]
    assert (await admits(plane, substrate, found["secret"])).scopes == ("read",)


async def test_a_created_key_is_given_although_the_instance_does_not_answer(customer, substrate):
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "laptop"})

    assert answer.status_code == 201
    assert answer.json()["propagated"] is False


async def test_names_are_unique_whatever_their_case(customer, substrate, acknowledged):
    await customer.post(f"/substrates/{substrate}/keys", {"name": "Laptop"})

    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "  laptop "})

    assert answer.status_code == 409
    assert answer.json()["code"] == "key_name_taken"


@pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\tb", "a\u202eb", "\ufdd0"])
async def test_a_name_that_cannot_be_read_is_refused(customer, substrate, name):
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": name})

    assert answer.status_code == 422
    assert answer.json()["code"] == "key_name_unfit"


async def test_a_key_needs_a_scope(customer, substrate):
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "a", "scopes": []})

    assert answer.status_code == 422
    assert answer.json()["code"] == "key_scopes_missing"


@pytest.mark.parametrize("moment", ["2001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"])
async def test_an_expiry_that_is_over_or_never_comes_is_refused(customer, substrate, moment):
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "a", "expires_at": moment})

    assert answer.status_code == 422
    assert answer.json()["code"] == "key_expiry_unfit"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": 7},
        {"name": "a", "scopes": ["everything"]},
        {"name": "a", "scopes": "read"},
        {"name": "a", "expires_at": "2030-01-01T00:00:00"},
        {"name": "a", "expires_at": 10**30},
        {"name": "a\0b"},
        {"name": "a", "color": "red"},
    ],
)
async def test_a_malformed_key_is_refused(customer, substrate, body):
    answer = await customer.post(f"/substrates/{substrate}/keys", body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


async def test_an_expiry_is_part_of_what_the_instance_enforces(plane, customer, substrate, acknowledged):
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = await customer.post(f"/substrates/{substrate}/keys", {"name": "a", "expires_at": ends})
    secret = answer.json()["secret"]

    assert await admits(plane, substrate, secret)
    with pytest.raises(KeyRefused):
        await admits(plane, substrate, secret, after=timedelta(hours=1))


async def test_the_plans_number_of_keys_holds_however_many_ask_at_once(customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys"

    answers = await asyncio.gather(*(customer.post(path, {"name": f"key {number}"}) for number in range(8)))

    assert sorted(answer.status_code for answer in answers) == [201, 201] + [409] * 6
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"key_limit_reached"}


async def test_a_revoked_key_makes_room(customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys"
    keys = [(await customer.post(path, {"name": name})).json()["key"]["id"] for name in ("a", "b")]
    await customer.delete(f"{path}/{keys[0]}")

    assert (await customer.post(path, {"name": "a"})).status_code == 201


async def test_a_revoked_key_is_refused_from_then_on(plane, customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys"
    made = (await customer.post(path, {"name": "laptop"})).json()

    answer = await customer.delete(f"{path}/{made['key']['id']}")

    assert answer.status_code == 200
    assert answer.json()["propagated"] is True
    with pytest.raises(KeyRevoked):
        await admits(plane, substrate, made["secret"])


async def test_a_revocation_that_is_not_acknowledged_is_followed(plane, customer, substrate):
    key = await customer.first_key(substrate)

    answer = await customer.delete(f"/substrates/{substrate}/keys/{key}")

    assert answer.status_code == 202
    operation = answer.json()["operation"]
    assert operation["kind"] == "revoke_key"
    assert operation["status"] == "queued"
    await plane.worker.acknowledge(substrate)
    assert (await customer.get(f"/operations/{operation['id']}")).json()["status"] == "succeeded"


async def test_revoking_twice_tells_how_far_the_first_time_got(plane, customer, substrate):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}"
    first = await customer.delete(path)
    await plane.worker.acknowledge(substrate)

    second = await customer.delete(path)

    assert first.status_code == 202
    assert second.status_code == 200
    async with plane.tools.database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM operation WHERE kind = 'revoke_key'") == 1


async def test_a_revoked_key_comes_back_by_no_means(customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}"
    await customer.delete(path)

    assert (await customer.post(f"{path}/claim")).json()["code"] == "key_is_revoked"
    assert (await customer.post(f"{path}/rotate", {"grace": "7d"})).json()["code"] == "key_is_revoked"


async def test_a_rotated_key_has_a_new_secret_and_the_old_one_a_grace(plane, customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}"
    old = (await customer.post(f"{path}/claim")).json()["secret"]

    answer = await customer.post(f"{path}/rotate", {"grace": "24h"})

    found = answer.json()
    assert answer.status_code == 200
    assert found["propagated"] is True
    assert found["key"]["prefix"] == found["secret"][:8]
    assert await admits(plane, substrate, found["secret"])
    assert await admits(plane, substrate, old, after=timedelta(hours=23))
    with pytest.raises(KeyRotated):
        await admits(plane, substrate, old, after=timedelta(hours=24, seconds=1))
    left = datetime.fromisoformat(found["previous_expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)


async def test_no_grace_ends_the_old_secret_at_once(plane, customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}"
    old = (await customer.post(f"{path}/claim")).json()["secret"]

    await customer.post(f"{path}/rotate", {"grace": "0"})

    with pytest.raises(KeyRotated):
        await admits(plane, substrate, old)


async def test_a_second_rotation_ends_the_older_secret_at_once(plane, customer, substrate, acknowledged):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}"
    oldest = (await customer.post(f"{path}/claim")).json()["secret"]
    old = (await customer.post(f"{path}/rotate", {"grace": "7d"})).json()["secret"]

    await customer.post(f"{path}/rotate", {"grace": "7d"})

    with pytest.raises(KeyRotated):
        await admits(plane, substrate, oldest)
    assert await admits(plane, substrate, old)


async def test_a_grace_never_outlasts_the_keys_own_end(plane, customer, substrate, acknowledged):
    ends = plane.clock.now() + timedelta(hours=2)
    made = await customer.post(f"/substrates/{substrate}/keys", {"name": "a", "expires_at": ends.isoformat()})
    path = f"/substrates/{substrate}/keys/{made.json()['key']['id']}"

    answer = await customer.post(f"{path}/rotate", {"grace": "7d"})

    assert datetime.fromisoformat(answer.json()["previous_expires_at"]) <= ends
    grants = [one for one in (await policy_of(plane, substrate)).keys if one.name == "a"]
    assert all(one.not_after_ms and from_ms(one.not_after_ms) <= ends for one in grants)


async def test_an_expired_key_is_not_rotated_into_another_expired_one(plane, customer, substrate, acknowledged):
    ends = plane.clock.now() + timedelta(hours=2)
    made = await customer.post(f"/substrates/{substrate}/keys", {"name": "a", "expires_at": ends.isoformat()})
    plane.clock.ahead = timedelta(hours=3)

    answer = await customer.post(f"/substrates/{substrate}/keys/{made.json()['key']['id']}/rotate", {"grace": "0"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "key_expiry_unfit"


@pytest.mark.parametrize("body", [{"grace": "8d"}, {"grace": 0}, {"grace": None}, []])
async def test_a_grace_is_one_of_five(customer, substrate, body):
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/rotate"

    assert (await customer.post(path, body)).status_code == 400


async def test_no_answer_but_the_one_holds_a_secret(plane, customer, substrate, acknowledged):
    key = await customer.first_key(substrate)
    secrets = [
        (await customer.post(f"/substrates/{substrate}/keys/{key}/claim")).json()["secret"],
        (await customer.post(f"/substrates/{substrate}/keys", {"name": "a"})).json()["secret"],
        (await customer.post(f"/substrates/{substrate}/keys/{key}/rotate", {"grace": "1h"})).json()["secret"],
    ]

    for path in ("/keys", "", "/operations", "/connect"):
        text = (await customer.get(f"/substrates/{substrate}{path}")).text
        assert not [secret for secret in secrets if secret in text]
    async with plane.tools.database.transaction() as tx:
        for table in ("api_key", "api_key_secret", "audit", "idempotency", "operation", "policy"):
            kept = await tx.value(f"SELECT coalesce(string_agg(t::text, ''), '') FROM {table} t")  # noqa: S608
            assert not [secret for secret in secrets if secret in kept]


async def test_keys_are_rotated_and_created_so_many_times_a_minute_and_revoked_always(
    plane, customer, substrate, acknowledged
):
    path = f"/substrates/{substrate}/keys"
    key = (await customer.post(path, {"name": "laptop"})).json()["key"]["id"]
    answers = [await customer.post(f"{path}/{key}/rotate", {"grace": "0"}) for _ in range(key_pace.MOST)]
    created = await customer.post(path, {"name": "phone"})
    revoked = await customer.delete(f"{path}/{key}")
    plane.clock.ahead = key_pace.WINDOW
    later = await customer.post(path, {"name": "phone"})

    assert [answers[0].status_code, answers[-1].status_code, created.status_code] == [200, 429, 429]
    assert created.json()["code"] == "too_many_secrets"
    assert 1 <= int(created.headers["retry-after"]) <= 60
    assert created.headers["ratelimit-policy"] == '"secrets";q=30;w=60'
    assert created.headers["ratelimit"].startswith('"secrets";r=0;t=')
    assert revoked.status_code == 200
    assert later.status_code == 201


async def test_one_substrate_that_rotates_too_often_slows_no_other(plane, customer, substrate, acknowledged):
    other = await plane.running(customer)
    path = f"/substrates/{substrate}/keys/{await customer.first_key(substrate)}/rotate"
    for _ in range(key_pace.MOST):
        answer = await customer.post(path, {"grace": "0"})

    assert answer.status_code == 429
    assert (await customer.post(f"/substrates/{other}/keys", {"name": "laptop"})).status_code == 201
