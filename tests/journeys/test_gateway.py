"""What a stranger meets at the door."""

import ssl
from pathlib import Path

import docker
import httpx
import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.journey


def test_plain_http_is_refused_and_never_redirected(stack, shared_instance):
    answer = httpx.get(
        f"http://127.0.0.1:{stack.http_port}/mcp", headers={"Host": f"{shared_instance.slug}.loam.localhost"}
    )

    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("aaaaaaaaaa", 404, "unknown_instance"),
        ("abc", 404, "not_found"),
        ("waker", 404, "not_found"),
        ("aaaaaaaaa1", 404, "not_found"),
        ("aaaaaaaaaaa", 404, "not_found"),
    ],
)
def test_an_unknown_name_is_not_found(stack, name, status, code):
    with httpx.Client(verify=ssl.create_default_context(cafile=str(stack.ca_file))) as client:
        answer = client.get(f"https://{name}.loam.localhost:{stack.https_port}/v1/whoami")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("host", ["example.org", "a.b.loam.localhost", "loam.localhost", "..", "aaaaaaaaaa"])
def test_a_host_that_is_not_the_connection_s_reaches_nobody(stack, host):
    with httpx.Client(verify=ssl.create_default_context(cafile=str(stack.ca_file))) as client:
        answer = client.get(f"https://aaaaaaaaaa.loam.localhost:{stack.https_port}/v1/whoami", headers={"Host": host})

    assert answer.status_code in {400, 404, 421}


def test_a_live_name_without_a_key_is_401_whether_its_server_runs_or_not(customer, stack):
    instance = customer.instance()
    running = instance.http.get(f"{instance.url}/v1/whoami")
    container = docker.from_env().containers.get(f"loam-{instance.id}")

    container.stop()
    stopped = instance.http.get(f"{instance.url}/v1/whoami")
    woken = instance.whoami()

    assert [(answer.status_code, answer.json()["code"]) for answer in (running, stopped)] == [(401, "key_missing")] * 2
    assert stopped.headers["www-authenticate"] == 'Bearer realm="loam"'
    assert woken.status_code == 200


def test_the_certificate_is_the_private_authority_s_and_names_the_host(stack, shared_instance):
    context = ssl.create_default_context(cafile=str(stack.ca_file))

    with httpx.Client(verify=context) as client:
        assert client.get(f"{shared_instance.url}/healthz").status_code in {200, 401, 404}
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=ssl.create_default_context()) as stranger:
        stranger.get(f"{shared_instance.url}/healthz")


@pytest.mark.parametrize("target", ["another tenant", "the control plane", "the engine"])
def test_a_tenant_that_replaces_its_socket_by_a_symlink_gains_nothing(customer, stack, target):
    mine = customer.instance()
    other = customer.call  # the API, through its own name, keeps working throughout
    with stack.customer() as somebody:
        theirs = somebody.instance()
        socket = stack.folders(mine).live_socket
        goals = {
            "another tenant": f"../{theirs.slug}/live.sock",
            "the control plane": "../app/live.sock",
            "the engine": "/var/run/docker.sock",
        }
        socket.unlink()
        socket.symlink_to(goals[target])

        through_the_link = [
            mine.call("GET", "/v1/whoami", key=theirs.key),
            mine.http.get(f"{mine.url}/healthz"),
            mine.http.get(f"{mine.url}/v1/plans"),
            mine.http.get(f"{mine.url}/version"),
        ]
        own = mine.whoami()  # wakes its server anew, as if it had died

        assert {answer.status_code for answer in through_the_link} == {401}
        assert own.status_code == 503 or own.json()["instance"] == mine.url
        assert theirs.whoami().status_code == 200
        assert other("GET", "/plans").status_code == 200


def test_the_gateway_is_nobody_and_sees_the_edge_alone(stack):
    pid = until(lambda: int(stack.supervisor("pid", "gateway").strip() or 0))
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    root = Path(f"/proc/{pid}/root")

    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split()
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert not {"root", "home", "usr", "var", "work", "tmp"} & {path.name for path in root.iterdir()}
    assert not (root / str(stack.state.tenants).lstrip("/")).exists()
