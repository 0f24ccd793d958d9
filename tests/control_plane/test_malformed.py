"""Nothing that a client can send makes the API stumble."""

import pytest

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"\xff"',
        b"\xff\xfe",
        b'{"email": "\\ud800", "password": "correct horse battery"}',
        b'{"email": "a\\u0000@example.org", "password": "correct horse battery"}',
        b'{"email": 1e999, "password": "x"}',
        b'{"email": "a@example.org", "password": 99999999999999999999999999999999}',
        b'{"email": "a@example.org"}',
        b'{"email": "a@example.org", "password": "correct horse battery", "admin": true}',
        b"[" * 20_000,
        b'{"email":' * 5_000,
    ],
    ids=range(14),
)
@pytest.mark.parametrize("path", ["/v1/signup", "/v1/login"])
async def test_a_malformed_body_is_refused_in_plain_words(plane, path, content):
    answer = await plane.http.post(path, content=content, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"])
async def test_a_body_that_is_not_json_is_refused(plane, kind):
    content = b'{"email": "a@example.org", "password": "correct horse battery"}'

    answer = await plane.http.post("/v1/login", content=content, headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


async def test_a_body_that_is_too_large_is_refused(plane):
    answer = await plane.http.post("/v1/login", content=b" " * 70_000, headers=JSON)

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"


@pytest.mark.parametrize("path", ["/v1/substrates/%00", "/v1/substrates/%FF", "/v1/operations/" + "a" * 3000])
async def test_a_name_that_cannot_be_one_is_not_found(customer, path):
    answer = await customer.get(path.removeprefix("/v1"))

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=%00", "cursor=%F0", "cursor=" + "a" * 201]
)
async def test_a_malformed_query_is_refused(customer, query):
    assert (await customer.get(f"/substrates?{query}")).status_code == 400


async def test_a_method_that_is_not_there_is_refused(plane):
    answer = await plane.http.put("/v1/plans")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


async def test_a_refusal_does_not_repeat_what_was_sent(plane):
    secret = "mmk_" + "A" * 38

    answer = await plane.http.post("/v1/login", json={"email": "a@example.org", "password": [secret]})

    assert answer.status_code == 400
    assert secret not in answer.text


async def test_the_character_nul_is_refused_wherever_it_hides(customer):
    answer = await customer.post("/substrates/sub_a/keys", {"name": "a", "scopes": ["read"], "expires_at": "\0"})
    escaped = await customer.call(
        "POST",
        "/subscriptions",
        content=b'{"plan": "\\\\u0000 is only written out"}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 400
    assert escaped.json()["code"] == "unknown_plan"
