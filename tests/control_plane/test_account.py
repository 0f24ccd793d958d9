"""Signing up, logging in and out."""

import asyncio
import dataclasses
import itertools
import stat
import threading
from datetime import timedelta
from email import message_from_string, policy
from email.utils import getaddresses

import pytest
from argon2 import PasswordHasher

from control_plane.actions import log_in
from control_plane.gateways import passwords
from control_plane.gateways.passwords import Passwords
from tests.control_plane.conftest import PASSWORD, served


async def test_signing_up_gives_an_account_and_a_token(plane):
    answer = await plane.http.post("/v1/signup", json={"email": " Ada@Example.ORG ", "password": PASSWORD})

    assert answer.status_code == 201
    assert answer.json()["account"]["email"] == "ada@example.org"
    assert answer.json()["token"].startswith("lat_")


async def test_the_token_opens_the_account(customer):
    found = (await customer.get("/account")).json()

    assert found["account"]["email"] == customer.email
    assert found["role"] == "owner"


async def test_a_known_address_is_not_taken_twice(plane, customer):
    answer = await plane.http.post("/v1/signup", json={"email": customer.email.upper(), "password": PASSWORD})

    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"


@pytest.mark.parametrize(
    "email",
    ["nobody", "a@b", "a b@example.org", "a@@example.org", "a@example.org\t", "a@-example.org", "ä\u202e@example.org"],
)
async def test_an_address_that_is_none_is_refused(plane, email):
    answer = await plane.http.post("/v1/signup", json={"email": email + "\u200b", "password": PASSWORD})

    assert answer.status_code == 422
    assert answer.json()["code"] == "email_invalid"


@pytest.mark.parametrize("email", ["İ@example.org", "ΣΑΣ@example.org", "e\u0301va@example.org", "ǅ@example.org"])
async def test_addresses_of_every_script_are_welcome_and_found_again(plane, email):
    await plane.http.post("/v1/signup", json={"email": email, "password": PASSWORD})

    answer = await plane.http.post("/v1/login", json={"email": email, "password": PASSWORD})

    assert answer.status_code == 200


@pytest.mark.parametrize("password", ["short", "elevenchars", "ä" * 600])
async def test_a_password_that_is_too_short_or_too_long_is_refused(plane, password):
    answer = await plane.http.post("/v1/signup", json={"email": "a@example.org", "password": password})

    assert answer.status_code == 422
    assert answer.json()["code"] == "password_unfit"


async def test_logging_in_gives_another_token(plane, customer):
    answer = await plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD})

    assert answer.status_code == 200
    assert answer.json()["token"] not in {"", customer.token}


async def test_a_password_is_the_same_however_it_was_typed(plane):
    await plane.http.post("/v1/signup", json={"email": "e@example.org", "password": "caf\u00e9 caf\u00e9 caf\u00e9"})

    answer = await plane.http.post(
        "/v1/login", json={"email": "e@example.org", "password": "cafe\u0301 cafe\u0301 cafe\u0301"}
    )

    assert answer.status_code == 200


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(plane, customer):
    wrong = await plane.http.post("/v1/login", json={"email": customer.email, "password": "wrong password!"})
    unknown = await plane.http.post("/v1/login", json={"email": "nobody@example.org", "password": "wrong password!"})
    nonsense = await plane.http.post("/v1/login", json={"email": "not an address", "password": "wrong password!"})

    assert wrong.status_code == unknown.status_code == nonsense.status_code == 401
    assert wrong.json() == unknown.json() == nonsense.json()


async def test_guessing_is_slowed_down(plane, customer):
    for attempt in range(log_in.MOST_OF_ADDRESS_FROM_NETWORK):
        answer = await plane.http.post("/v1/login", json={"email": customer.email, "password": "wrong password!"})
        assert answer.status_code == 401
        assert f"r={log_in.MOST_OF_ADDRESS_FROM_NETWORK - 1 - attempt};" in answer.headers["ratelimit"]

    answer = await plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD})

    assert answer.status_code == 429
    assert answer.json()["code"] == "too_many_logins"
    assert int(answer.headers["retry-after"]) == 900


async def test_guessing_from_one_network_does_not_lock_the_owner_out(plane, customer):
    body = {"email": customer.email, "password": "wrong password!"}
    for _ in range(log_in.MOST_OF_ADDRESS_FROM_NETWORK + 1):
        await plane.http.post("/v1/login", json=body, headers={"X-Forwarded-For": "203.0.113.7"})

    body["password"] = PASSWORD
    answer = await plane.http.post("/v1/login", json=body, headers={"X-Forwarded-For": "198.51.100.7"})

    assert answer.status_code == 200


async def test_after_a_while_one_may_try_again(plane, customer):
    for _ in range(log_in.MOST_OF_ADDRESS_FROM_NETWORK + 1):
        await plane.http.post("/v1/login", json={"email": customer.email, "password": "wrong password!"})
    plane.clock.ahead = log_in.WINDOW

    answer = await plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD})

    assert answer.status_code == 200


async def test_logging_in_often_is_no_guessing(plane, customer):
    for _ in range(log_in.MOST_OF_ADDRESS_FROM_NETWORK + 2):
        answer = await plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD})

    assert answer.status_code == 200


async def test_a_token_that_logged_out_opens_nothing(customer):
    answer = await customer.post("/logout")

    assert answer.status_code == 204
    assert (await customer.get("/account")).status_code == 401


async def test_a_token_ends_after_thirty_days(plane, customer):
    plane.clock.ahead = log_in.tokens.LIFETIME

    assert (await customer.get("/account")).status_code == 401


async def test_signing_up_sends_a_letter_whose_code_confirms_the_address(plane, customer):
    (letter,) = (plane.state_dir / "outbox").glob("*.eml")
    code = letter.read_text().split("loam account confirm ")[1].split()[0]

    answer = await plane.http.post("/v1/confirmations", json={"code": code})

    assert answer.json() == {"confirmed": True}
    assert (await customer.get("/account")).json()["email_confirmed"] is True
    assert stat.S_IMODE(letter.stat().st_mode) == 0o600


async def test_the_letters_commands_can_be_pasted_as_they_stand(plane, customer):
    (letter,) = (plane.state_dir / "outbox").glob("*.eml")

    text = letter.read_text()
    code = text.split("loam account confirm ")[1].split()[0]

    assert "Content-Transfer-Encoding: 7bit" in text
    assert f'--json \'{{"code": "{code}"}}\'\n' in text
    assert f"curl \\\n      {plane.tools.api_url}/v1/confirmations \\\n" in text


@pytest.mark.parametrize("code", ["nonsense", "mem_aaaa.0123", ".", "mem_\ud7ff.é"])
async def test_a_made_up_code_confirms_nothing(plane, code):
    answer = await plane.http.post("/v1/confirmations", json={"code": code})

    assert answer.status_code == 422
    assert answer.json()["code"] == "confirmation_code_wrong"


async def test_a_full_disk_does_not_stop_a_sign_up(plane):
    (plane.state_dir / "outbox").write_text("not a folder")

    assert (await plane.customer()).token


class BrokenMail:
    async def send(self, *_args, **_more):
        raise UnicodeError


async def test_whatever_happens_to_the_letter_the_account_stands(settings):
    async with served(settings) as plane:
        plane.app.state.tools = dataclasses.replace(plane.tools, mail=BrokenMail())

        customer = await plane.customer()

        assert (await customer.get("/account")).status_code == 200


@pytest.mark.parametrize("email", ["o'neil+a=b?c@example.org", "{x}~`|@example.org", "ünï@exämple.org", "a?==@b-c.org"])
async def test_the_letter_goes_to_the_address_that_is_kept(plane, email):
    await plane.http.post("/v1/signup", json={"email": email, "password": PASSWORD})

    (file,) = (plane.state_dir / "outbox").glob("*.eml")
    letter = message_from_string(file.read_text("utf-8"), policy=policy.default)
    assert [found for _, found in getaddresses([str(letter["To"])])] == [email]
    assert [address.addr_spec for address in letter["To"].addresses] == [email]


async def sign_up(plane, number, *, network="203.0.113.7"):
    body = {"email": f"caller{number}@example.org", "password": PASSWORD}
    return await plane.http.post("/v1/signup", json=body, headers={"X-Forwarded-For": network})


async def test_one_network_signs_up_so_many_times_an_hour_and_others_are_not_held_up(settings):
    async with served(settings.model_copy(update={"sign_ups_per_hour": 3})) as plane:
        for number in range(3):
            assert (await sign_up(plane, number)).status_code == 201
        refused = await sign_up(plane, 3, network="203.0.113.99")
        other = await sign_up(plane, 4, network="198.51.100.7")
        plane.clock.ahead = timedelta(hours=1)
        later = await sign_up(plane, 3)

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_sign_ups")
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert refused.headers["ratelimit-policy"] == '"signup";q=3;w=3600'
    assert (other.status_code, later.status_code) == (201, 201)


async def test_sign_ups_for_a_known_address_count_too(settings):
    async with served(settings.model_copy(update={"sign_ups_per_hour": 2})) as plane:
        answers = [await sign_up(plane, 1) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 409, 429]


async def test_a_log_in_does_not_make_sign_ups_forgotten(settings):
    async with served(settings.model_copy(update={"sign_ups_per_hour": 1})) as plane:
        await sign_up(plane, 1)
        plane.clock.ahead = timedelta(minutes=30)
        await plane.http.post("/v1/login", json={"email": "caller1@example.org", "password": PASSWORD})

        assert (await sign_up(plane, 2)).status_code == 429


class SlowHasher(PasswordHasher):
    """Hashes when it is told to; checks at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.may_hash = threading.Event()
        self.may_hash.set()

    def hash(self, password, **more):
        assert self.may_hash.wait(30)
        return super().hash(password, **more)


async def test_however_many_sign_up_those_who_log_in_do_not_wait_and_the_rest_are_told_at_once(settings):
    hasher = SlowHasher()
    many = passwords.HASHED_AT_ONCE + passwords.HASHES_WAITING_MOST
    async with served(settings.model_copy(update={"sign_ups_per_hour": 1000}), passwords=Passwords(hasher)) as plane:
        customer = await plane.customer()
        hasher.may_hash.clear()
        crowd = [asyncio.create_task(sign_up(plane, number)) for number in range(many + 5)]
        try:
            told = [await one for one in itertools.islice(asyncio.as_completed(crowd, timeout=30), 5)]
            logged_in = await asyncio.wait_for(
                plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD}), 30
            )
        finally:
            hasher.may_hash.set()
            answers = await asyncio.gather(*crowd)

    assert logged_in.status_code == 200
    assert {(busy.status_code, busy.json()["code"], busy.headers["retry-after"]) for busy in told} == {
        (503, "too_many_at_once", "5")
    }
    assert sorted(answer.status_code for answer in answers) == [201] * many + [503] * 5
