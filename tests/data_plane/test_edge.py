"""The edge: hosts, origins, clients that look for OAuth, and input that means harm."""

import asyncio
import json
import socket

import pytest

from data_plane.app import ROUTERS
from data_plane.edge.needs import NEEDS
from tests.support.policies import HOST, INSTANCE
from tests.support.tenant import Tenant


@pytest.mark.parametrize("host", [HOST, f"{HOST}:8443", HOST.upper()])
async def test_the_instances_own_host_is_served_with_and_without_port(tenant: Tenant, host):
    assert (await tenant.call("GET", "/v1/whoami", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["example.org", "localhost", "", f"x.{HOST}", f"{HOST}.evil.org", f"{HOST}:evil"])
async def test_any_other_host_is_misdirected(tenant: Tenant, host):
    answer = await tenant.call("GET", "/v1/whoami", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (421, "host_unknown")


@pytest.mark.parametrize("origin", [INSTANCE, f"https://{HOST}"])
async def test_pages_of_the_instances_own_origin_may_call(tenant: Tenant, origin):
    assert (await tenant.call("GET", "/v1/whoami", headers={"Origin": origin})).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.org", "null", f"http://{HOST}", f"https://{HOST}.evil.org"])
async def test_pages_of_other_origins_may_not(tenant: Tenant, origin):
    for path in ("/v1/whoami", "/mcp"):
        answer = await tenant.call("POST", path, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/openid-configuration",
    ],
)
async def test_who_looks_for_oauth_is_told_about_keys(tenant: Tenant, path):
    answer = await tenant.edge.get(path)

    assert answer.status_code == 404
    assert "uses API keys" in answer.json()["detail"]


async def test_who_registers_is_told_about_keys(tenant: Tenant):
    answer = await tenant.edge.post("/register", json={"client_name": "x"})

    assert answer.status_code == 400
    assert "this server uses API keys" in answer.json()["detail"]


async def test_health_is_open(tenant: Tenant):
    assert (await tenant.edge.get("/healthz")).json() == {"status": "ok"}
    assert (await tenant.edge.get("/readyz")).json() == {"status": "ready"}


async def test_an_unknown_path_is_a_problem_with_a_next_step(tenant: Tenant):
    answer = await tenant.call("GET", "/v1/nothing")

    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_wrong_method_names_the_right_ones(tenant: Tenant):
    answer = await tenant.call("PATCH", "/v1/atoms", json={})

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("router", ROUTERS, ids=lambda router: router.path)
def test_every_route_declares_what_it_needs(router):
    for route in router.routes:
        for handler in route.route_handlers:
            if handler.operation_id:
                assert NEEDS in handler.opt, handler


async def test_the_api_describes_itself(tenant: Tenant):
    document = (await tenant.call("GET", "/v1/openapi.json")).json()

    operations = {
        operation["operationId"] for path in document["paths"].values() for operation in path.values() if operation
    }
    assert document["openapi"].startswith("3.")
    assert operations >= {"save_atoms", "search_atoms", "get_atom", "list_atoms", "forget_atom", "show_whoami"}


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("GET", "/v1/nothing", b"", "There is nothing at this address."),
        ("PATCH", "/v1/atoms", b"{}", "This address does not take that method."),
        ("POST", "/v1/atoms", b'{"atoms": [', "The body is not complete JSON."),
    ],
)
async def test_what_the_framework_refuses_is_told_in_a_sentence(tenant: Tenant, method, path, body, sentence):
    answer = await tenant.call(method, path, content=body, headers={"Content-Type": "application/json"})

    assert answer.json()["detail"] == sentence


async def test_the_best_match_scores_one_and_the_others_less(tenant: Tenant):
    await tenant.saved("tea and milk", "tea in the long and winding story of an afternoon", "coffee")

    found = (await tenant.call("POST", "/v1/search", json={"query": "tea milk"})).json()["results"]

    assert found[0]["score"] == 1.0
    assert 0 <= found[1]["score"] < 1


DEEP = b"[" * 100_000
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff\xfe\x00",
    DEEP,
    b'{"atoms": ' + DEEP,
    b'{"atoms":[{"content":"\\ud800"}]}',
    b'{"atoms":[{"content":"a","name":"\\ud800.x"}]}',
    b'{"atoms":[{"content":1e999}]}',
    b'{"query":"\\ud800"}',
    b'{"query":' + b"9" * 5_000 + b"}",
    json.dumps({"query": '" OR * NEAR( AND NOT ^ : col:'}).encode(),
    json.dumps({"query": "💥" * 1_000}).encode(),
    json.dumps({"query": "\0"}).encode(),
    json.dumps({"query": "?!…"}).encode(),
    json.dumps({"query": "tea", "namespace": "\0"}).encode(),
]


@pytest.mark.parametrize("path", ["/v1/atoms", "/v1/search", "/mcp"])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_no_body_breaks_the_server(tenant: Tenant, path, body):
    answer = await tenant.call("POST", path, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code < 500, answer.text
    assert (await tenant.call("GET", "/v1/whoami")).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/atoms?limit=0",
        "/v1/atoms?limit=201",
        "/v1/atoms?limit=x",
        "/v1/atoms?cursor=!!",
        "/v1/atoms?cursor=" + "A" * 3_000,
        "/v1/atoms?cursor=WzEsMl0",
        "/v1/atoms/%00",
        "/v1/atoms/%ff%fe",
        "/v1/atoms/..%2f..%2fetc",
        "/v1/atoms/" + "a" * 5_000,
        "/v1/atoms/fact.x/history?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk",
        "/v1/atoms?namespace=%00&tag=%00&type=%00&prefix=%ff",
    ],
)
async def test_no_address_breaks_the_server(tenant: Tenant, path):
    answer = await tenant.call("GET", path)

    assert answer.status_code < 500, answer.text


async def test_a_body_larger_than_any_request_needs_is_refused(tenant: Tenant):
    too_large = b"x" * (8 * 1024 * 1024 + 1)

    async def chunks():
        for start in range(0, len(too_large), 1 << 20):
            yield too_large[start : start + (1 << 20)]

    for path in ("/v1/atoms", "/mcp"):
        declared = await tenant.call("POST", path, content=too_large, headers={"Content-Type": "application/json"})
        streamed = await tenant.call("POST", path, content=chunks(), headers={"Content-Type": "application/json"})
        assert (declared.status_code, declared.json()["code"]) == (413, "too_large")
        assert streamed.status_code == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(20_000)),
        b"GET /" + b"a" * 200_000,
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/atoms HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["endless header", "endless headers", "endless address", "TLS", "no version", "length", "smuggling"],
)
async def test_bytes_that_are_no_request_end_the_connection(tenant: Tenant, sent):
    answer = await asyncio.to_thread(_exchange, str(tenant.files.live_socket), sent)

    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421")) or not answer
    assert (await tenant.call("GET", "/v1/whoami")).status_code == 200


def _exchange(path: str, sent: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        try:
            connection.sendall(sent)
            return connection.recv(65_536)
        except (BrokenPipeError, ConnectionResetError):
            return b""
