"""Who may do what: made from the application's own routes, so that none can be forgotten."""

import re

import pytest
from litestar.routes import HTTPRoute

from control_plane.api.session import PUBLIC
from control_plane.app import create_app
from tests.control_plane.conftest import Plane

PUBLIC_ROUTES = {
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/plans"),
    ("GET", "/v1/docs"),
    ("GET", "/v1/docs.css"),
    ("GET", "/v1/openapi.json"),
    ("POST", "/v1/signup"),
    ("POST", "/v1/login"),
    ("POST", "/v1/confirmations"),
}


def routes() -> list[tuple[str, str, bool]]:
    """Every (method, path) and whether it says that it is public."""
    app = create_app(None)  # type: ignore[arg-type]  # never started
    return sorted(
        (str(method), route.path_format, handler.opt.get(PUBLIC) is True)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        for method in handler.http_methods
        if str(method) != "OPTIONS"
    )


PRIVATE = [(method, path) for method, path, public in routes() if not public]


def test_what_is_public_is_a_short_list():
    found = {(method, path) for method, path, public in routes() if public and "{" not in path}

    assert {route for route in found if route[1].rstrip("/") != "/v1"} == PUBLIC_ROUTES


@pytest.mark.parametrize(("method", "path"), PRIVATE)
@pytest.mark.parametrize("header", [None, "Bearer lat_made-up", "Bearer ", "Basic YTpi", "Bearer " + "x" * 5000])
async def test_nobody_gets_in_without_a_token(plane: Plane, method, path, header):
    headers = {"Authorization": header} if header else {}

    answer = await plane.http.request(method, re.sub(r"\{[^}]*\}", "sub_aaaaaaaaaaaaaaaa", path), headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_logged_in"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_api_key_is_told_that_it_belongs_elsewhere(plane):
    answer = await plane.http.get("/v1/account", headers={"Authorization": "Bearer mmk_" + "a" * 38})

    assert answer.status_code == 401
    assert answer.json()["code"] == "api_key_presented"


OWNED = [(method, path) for method, path in PRIVATE if "{" in path]


@pytest.mark.parametrize(("method", "path"), OWNED)
async def test_what_is_not_yours_looks_like_what_is_not_there(plane, customer, stranger, method, path):
    subscribed = await customer.subscribe()
    names = {
        "subscription_id": subscribed["subscription"]["id"],
        "substrate_id": subscribed["substrate"]["id"],
        "operation_id": subscribed["operation"]["id"],
        "backup_id": "bak_nobodys",
        "key_id": await customer.first_key(subscribed["substrate"]["id"]),
    }
    body = {"keys": {"name": "a"}, "rotate": {"grace": "0"}, "change": {"plan": "solo"}}.get(path.rsplit("/", 1)[-1])
    more = {"json": body} if body and method == "POST" else {}
    theirs = path.removeprefix("/v1").format(**names)
    absent = path.removeprefix("/v1").format(**dict.fromkeys(names, "sub_aaaaaaaaaaaaaaaa"))
    nonsense = path.removeprefix("/v1").format(**dict.fromkeys(names, "%00'--"))

    answers = [await stranger.call(method, where, **more) for where in (theirs, absent, nonsense)]

    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].json() == answers[1].json() == answers[2].json()


async def test_another_substrates_key_is_not_found_through_mine(customer):
    mine = (await customer.subscribe())["substrate"]["id"]
    other = (await customer.subscribe())["substrate"]["id"]
    key = await customer.first_key(other)

    assert (await customer.post(f"/substrates/{mine}/keys/{key}/claim")).status_code == 404
    assert (await customer.delete(f"/substrates/{mine}/keys/{key}")).status_code == 404


async def test_every_answer_carries_the_headers_that_protect_browsers(plane):
    for path in ("/v1/plans", "/v1/docs", "/nowhere", "/v1/account"):
        headers = (await plane.http.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["referrer-policy"] == "no-referrer"


async def test_problems_are_problem_json(plane):
    for path, status in (("/nowhere", 404), ("/v1/account", 401)):
        answer = await plane.http.get(path)

        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "code", "detail", "next_action"} <= answer.json().keys()
