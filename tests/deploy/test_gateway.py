"""What the gateway promises to customers, and what it denies to tenants that were taken over."""

import json
import os
import shutil
import tempfile
import threading
from pathlib import Path

import httpx
import pytest

from tests.support import gateway as gateways
from tests.support import waiting
from tests.support.unix_server import Answer, serving

SLUG = "abcdefgh27"
NEIGHBOUR = "zzzzzzzzz2"
HOST = f"{SLUG}.{gateways.DOMAIN}"


@pytest.fixture(scope="module")
def gateway():
    """As an operator's machine runs it: confined where root starts it, otherwise as whoever does."""
    state = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    state.chmod(0o755)
    with gateways.running(state, confined=os.geteuid() == 0) as started:
        yield started
    shutil.rmtree(state)


@pytest.fixture
def edge(gateway):
    return gateway.gateway.edge


def waker_that(answer):
    return lambda _: answer


def test_a_tenant_is_reached_by_its_slug(gateway, edge):
    with serving(edge / SLUG / "live.sock", lambda asked: Answer(200, asked.path.encode())) as asked:
        answer = gateway.ask(HOST, "/v1/whoami?a=1", headers={"Authorization": "Bearer secret"})

    assert answer.text == "/v1/whoami?a=1"
    assert asked[0].headers["Host"].startswith(HOST)
    assert asked[0].headers["Authorization"] == "Bearer secret"
    assert asked[0].headers["X-Forwarded-Proto"] == "https"


def test_the_control_plane_is_reached_at_app(gateway, edge):
    with serving(edge / "app" / "live.sock", lambda _: Answer(200, b"control plane")):
        assert gateway.ask(f"app.{gateways.DOMAIN}").text == "control plane"


def test_a_control_plane_that_is_off_is_told_as_a_problem(gateway):
    answer = gateway.ask(f"app.{gateways.DOMAIN}")

    assert answer.status_code == 503
    assert answer.json()["code"] == "temporarily_unavailable"
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize(
    "label", ["waker", "short", "abcdefgh2", "abcdefgh277", "abcdefgh01", "ABCDEFGH27x", "..%2fapp"]
)
def test_a_name_that_is_no_slug_leads_nowhere(gateway, edge, label):
    with serving(edge / "waker" / "live.sock", waker_that(Answer(200, b"woken"))) as asked:
        answer = gateway.ask("nothing." + gateways.DOMAIN, host_header=f"{label}.{gateways.DOMAIN}")

    assert answer.status_code in {400, 404, 421}
    assert not asked


def test_the_bare_domain_says_where_to_go(gateway):
    answer = gateway.ask(gateways.DOMAIN)

    assert (answer.status_code, answer.json()["code"]) == (421, "misdirected_request")
    assert f"https://app.{gateways.DOMAIN}:{gateway.gateway.https_port}" in answer.json()["next_action"]


def test_browsers_are_not_told_to_insist_on_https_in_development(gateway):
    for host in (gateways.DOMAIN, f"app.{gateways.DOMAIN}", f"nothing.{gateways.DOMAIN}", HOST):
        assert "Strict-Transport-Security" not in gateway.ask(host).headers


def test_browsers_are_told_to_insist_on_https_in_production(state_dir):
    with gateways.running(state_dir, confined=False, environment_name="production") as production:
        for host in (gateways.DOMAIN, f"app.{gateways.DOMAIN}", f"nothing.{gateways.DOMAIN}"):
            assert production.ask(host).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_a_waker_that_is_off_is_told_as_a_problem(gateway):
    answer = gateway.ask(HOST, "/mcp", method="POST", content=b"{}")

    assert (answer.status_code, answer.json()["code"]) == (503, "instance_unavailable")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Retry-After"]


def test_a_server_that_breaks_leaves_a_line_with_the_reference_of_its_answer(gateway, edge):
    with serving(edge / SLUG / "live.sock", lambda _: Answer(breaks=True)) as asked:
        answer = gateway.ask(HOST, "/v1/secret?of=mine", headers={"X-Request-Id": "planted"})

    reference = answer.json()["reference"]
    assert answer.status_code == 502
    assert answer.headers["X-Request-Id"] == asked[0].headers["X-Request-Id"] == reference
    line = waiting.until(lambda: logged(gateway, reference), what="the line")
    assert (line["status"], line["request"]["method"]) == (502, "GET")
    assert line["request"]["host"].startswith(HOST)
    assert line["upstream_error"]
    assert not {"uri", "headers", "remote_ip", "client_ip"} & line["request"].keys()


def test_what_is_not_answered_leaves_a_line_too(gateway):
    for host in (HOST, f"app.{gateways.DOMAIN}"):
        reference = gateway.ask(host).json()["reference"]

        line = waiting.until(lambda sought=reference: logged(gateway, sought), what="the line")
        assert line["status"] == 503
        assert "live.sock" in line["upstream_error"]


def test_what_a_server_answers_is_not_the_gateway_s_to_log(gateway, edge):
    with serving(edge / SLUG / "live.sock", lambda _: Answer(500, b"its own")) as asked:
        gateway.ask(HOST)
    gateway.ask(f"app.{gateways.DOMAIN}")

    assert asked[0].headers["X-Request-Id"] not in gateway.log.read_text()


def logged(gateway, reference):
    """The gateway's line about a request."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    return next((line for line in lines if line.get("reference") == reference), None)


def test_another_host_name_is_refused(gateway):
    answer = gateway.ask(HOST, host_header="example.com")

    assert answer.status_code == 421
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "misdirected_request"


@pytest.mark.parametrize("host", [HOST, f"app.{gateways.DOMAIN}", "example.com"])
def test_plain_http_is_refused_and_never_redirected(gateway, host):
    answer = httpx.get(f"http://127.0.0.1:{gateway.gateway.http_port}/mcp", headers={"Host": host}, trust_env=False)

    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "https_required"
    assert "Location" not in answer.headers


@pytest.mark.parametrize(("status", "code"), [(401, "key_missing"), (404, "not_found"), (503, "starting")])
def test_what_the_waker_refuses_comes_back_word_for_word(gateway, edge, status, code):
    refusal = Answer(
        status,
        b'{"code":"%s"}' % code.encode(),
        {"Content-Type": "application/problem+json", "WWW-Authenticate": 'Bearer realm="loam"', "Retry-After": "3"},
    )
    with serving(edge / "waker" / "live.sock", waker_that(refusal)):
        answer = gateway.ask(HOST, "/mcp", method="POST", content=b"{}")

    assert answer.status_code == status
    assert answer.json() == {"code": code}
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="loam"'
    assert answer.headers["Retry-After"] == "3"


def test_a_sleeping_tenant_is_woken_and_gets_the_request_with_its_body(gateway, edge):
    body = os.urandom(200_000)
    running = []

    def wake(asked):
        tenant = serving(edge / SLUG / "live.sock", lambda request: Answer(200, request.body))
        tenant.__enter__()
        running.append(tenant)
        return Answer(200)

    with serving(edge / "waker" / "live.sock", wake) as asked:
        answer = gateway.ask(HOST, "/v1/atoms", method="POST", content=body, headers={"Authorization": "Bearer key"})
        running[0].__exit__(None, None, None)

    assert answer.content == body
    assert [(request.method, request.body) for request in asked] == [("GET", b"")]
    assert asked[0].headers["Authorization"] == "Bearer key"
    assert asked[0].headers["Host"].startswith(HOST)
    assert asked[0].headers["X-Forwarded-Uri"] == "/v1/atoms"
    assert asked[0].headers["X-Forwarded-Method"] == "POST"


def test_a_server_that_died_after_reading_is_not_asked_again(gateway, edge):
    with (
        serving(edge / "waker" / "live.sock", waker_that(Answer(200))) as waker,
        serving(edge / SLUG / "live.sock", waker_that(Answer(breaks=True))) as asked,
    ):
        answer = gateway.ask(HOST, "/v1/atoms", method="POST", content=b"{}")

    assert answer.status_code == 502
    assert answer.json()["code"] == "upstream_failed"
    assert len(asked) == 1
    assert not waker


def test_a_tenants_own_502_is_its_own(gateway, edge):
    with (
        serving(edge / "waker" / "live.sock", waker_that(Answer(200))) as waker,
        serving(edge / SLUG / "live.sock", waker_that(Answer(502, b"dial unix"))),
    ):
        answer = gateway.ask(HOST)

    assert (answer.status_code, answer.text) == (502, "dial unix")
    assert not waker


def test_a_client_cannot_say_where_it_comes_from(gateway, edge):
    forged = {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    with serving(edge / SLUG / "live.sock", waker_that(Answer(200))) as asked:
        gateway.ask(HOST, headers=forged)

    assert asked[0].headers["X-Forwarded-For"] == "127.0.0.1"
    assert asked[0].headers["X-Forwarded-Host"].startswith(HOST)
    assert asked[0].headers["X-Forwarded-Proto"] == "https"


def test_a_tenant_neither_gets_nor_sets_cookies(gateway, edge):
    planted = Answer(200, b"", {"Set-Cookie": f"session=planted; Domain={gateways.DOMAIN}"})
    with serving(edge / SLUG / "live.sock", waker_that(planted)) as asked:
        answer = gateway.ask(HOST, headers={"Cookie": "session=the customer's"})

    assert "Cookie" not in asked[0].headers
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("kind", ["text/event-stream", "application/x-ndjson"])
def test_a_stream_is_passed_on_as_it_comes(gateway, edge, kind):
    first_was_read = threading.Event()

    def parts():
        yield b"first"
        assert first_was_read.wait(10)
        yield b"second"

    with (
        serving(edge / SLUG / "live.sock", lambda _: Answer(200, headers={"Content-Type": kind}, parts=parts())),
        gateway.asking(HOST) as answer,
    ):
        stream = answer.iter_raw()
        first = next(stream)
        first_was_read.set()

        assert (first, b"".join(stream)) == (b"first", b"second")


def test_the_gateway_has_no_power_over_the_machine(gateway):
    assert os.geteuid() == 0, "confining takes root: run the tests as root, as `.ci/run` does"
    process = Path("/proc", str(gateway.process.pid))
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())

    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapAmb"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert sorted(path.name for path in (process / "root").iterdir()) == ["Caddyfile", "caddy", "edge", "storage"]


def test_the_log_holds_neither_keys_nor_addresses(gateway):
    gateway.ask(HOST, "/v1/secret-address", headers={"Authorization": "Bearer mmk_secretsecret"})

    log = gateway.log.read_text()
    assert "mmk_" not in log
    assert "secret-address" not in log


@pytest.mark.parametrize("target", ["neighbour", "control plane", "outside"])
def test_a_tenant_that_links_its_socket_elsewhere_gains_nothing(gateway, edge, target):
    outside = edge.parent / "outside.sock"
    targets = {
        "neighbour": edge / NEIGHBOUR / "live.sock",
        "control plane": edge / "app" / "live.sock",
        "outside": outside,
    }
    (edge / SLUG).mkdir(exist_ok=True)
    link = edge / SLUG / "live.sock"
    for spelling in (targets[target], Path(os.path.relpath(targets[target], link.parent))):
        link.unlink(missing_ok=True)
        link.symlink_to(spelling)
        with (
            serving(targets[target], waker_that(Answer(200, b"not yours"))) as asked,
            serving(edge / "waker" / "live.sock", waker_that(Answer(404, b"waker"))),
        ):
            answer = gateway.ask(HOST)
        link.unlink()

        assert not asked
        assert answer.text == "waker"
