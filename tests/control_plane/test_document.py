"""The API's description: complete, true, and readable without a script."""

import re

import httpx
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.control_plane.conftest import Customer, Plane

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


async def document(plane: Plane) -> dict:
    return dict((await plane.http.get("/v1/openapi.json")).json())


async def test_every_operation_is_named_described_and_may_answer_with_a_problem(plane):
    found = await document(plane)

    operations = [operation for item in found["paths"].values() for operation in item.values()]
    assert len(operations) >= 20
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]


async def test_what_needs_a_token_says_so(plane):
    paths = (await document(plane))["paths"]

    assert paths["/v1/plans"]["get"]["security"] == []
    assert paths["/v1/login"]["post"]["security"] == []
    assert "security" not in paths["/v1/account"]["get"] or paths["/v1/account"]["get"]["security"] != []


async def test_what_creates_takes_an_idempotency_key(plane):
    paths = (await document(plane))["paths"]

    for path in ("/v1/signup", "/v1/subscriptions", "/v1/substrates/{substrate_id}/keys"):
        assert "Idempotency-Key" in {one["name"] for one in paths[path]["post"]["parameters"]}


async def test_whoever_comes_without_an_address_is_shown_the_page(plane):
    answer = await plane.http.get("/", follow_redirects=True)

    assert answer.status_code == 200
    assert answer.url.path == "/v1/docs"
    assert answer.headers["content-type"].startswith("text/html")


async def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(plane):
    page = (await plane.http.get("/v1/docs")).text

    for item in (await document(plane))["paths"].values():
        for operation in item.values():
            assert f'id="{operation["operationId"]}"' in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert "curl https://app.loam.localhost:8443/v1/plans" in page


async def test_the_pages_style_comes_from_here(plane):
    answer = await plane.http.get("/v1/docs.css")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("round_", range(2))
async def test_no_request_makes_the_api_stumble_or_break_its_own_description(plane, round_):
    customer = await plane.customer()
    running = await plane.running(customer)
    known = {"substrate_id": running, "key_id": await customer.first_key(running)}
    schema = schemathesis.openapi.from_dict(await document(plane))
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == "/v1/logout":
            continue  # it would end the token that the other requests carry
        for case in cases(operation, seed=round_):
            await check(plane, customer, known if round_ else {}, case)


def cases(operation, *, seed: int) -> list:
    """Some requests for one operation: the right form in all its variety."""
    found = []

    @settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def collect(case):
        found.append(case)

    hypothesis.seed(seed)(given(case=operation.as_strategy())(collect))()
    return found


async def check(plane: Plane, customer: Customer, known: dict[str, str], case) -> None:
    case.path_parameters.update({name: value for name, value in known.items() if name in case.path_parameters})
    sent = case.as_transport_kwargs(base_url="https://app.loam.localhost")
    request = {
        name: sent[name] for name in ("method", "url", "params", "json", "cookies") if sent.get(name) is not None
    }
    request.pop("cookies", None)
    headers = {**dict(sent.get("headers") or {}), "Authorization": f"Bearer {customer.token}"}
    try:
        answer = await plane.http.request(**request, headers=headers)
    except (UnicodeEncodeError, httpx.InvalidURL):
        return  # no client can send it
    if answer.status_code == 304:
        return
    response = schemathesis.Response.from_httpx(answer, verify=False)
    case.validate_response(response, checks=CHECKS)
