"""Asleep is no container, and nobody who uses it can tell: held requests are answered, whole and once."""

import concurrent.futures
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import docker
import pytest

from tests.support.customer import Instance
from tests.support.stack import Stack, running_stack
from tests.support.waiting import until

pytestmark = pytest.mark.journey

LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
MCP_HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
SIZES = (1, 1000, 65_536, 1_000_000, 4_000_000)
"""Of a request's body in bytes."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose tenants sleep soon."""
    with running_stack(sleep_after="PT2S") as found:
        yield found


def containers(instance: Instance) -> list[str]:
    """What the engine has of a tenant."""
    found = docker.from_env().containers.list(all=True, sparse=True, filters={"label": f"loam.substrate={instance.id}"})
    return [str(one.id) for one in found]


def asleep(instance: Instance) -> None:
    """Wait until nothing of its server is left."""
    until(lambda: not containers(instance), what="it to sleep", seconds=40)


def test_a_tenant_that_nobody_uses_has_no_container_and_its_memory_is_there_again(customer):
    instance = customer.instance()
    instance.save("The office moved to Lisbon in May.")
    asleep(instance)
    until(lambda: customer.call("GET", f"/substrates/{instance.id}").json()["asleep"])

    found = instance.search("office")

    assert found.json()["results"][0]["content"] == "The office moved to Lisbon in May."
    assert customer.call("GET", f"/substrates/{instance.id}").json()["atoms"]["used"] == 1


def test_a_hundred_first_requests_at_once_start_one_container_and_all_are_answered(customer):
    instance = customer.instance()
    asleep(instance)

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: instance.whoami().status_code, range(100)))

    assert answers == [200] * 100
    assert len(containers(instance)) == 1


def test_the_body_of_a_held_request_arrives_whole_and_once(customer):
    instance = customer.instance("solo")
    for size in SIZES:
        asleep(instance)
        # More than an atom may hold is refused by the server itself, which says how much it got.
        padding = " " * max(0, size - 60)
        body = '{"atoms": [{"content": "fact of ' + str(size) + '"}]' + padding + "}" if size > 1 else "{"

        answer = instance.call("POST", "/v1/atoms", content=body)

        assert answer.status_code == (200 if size > 1 else 400), answer.text
    usage = instance.call("GET", "/v1/usage").json()
    assert usage["atoms"]["used"] == len(SIZES) - 1


def test_an_mcp_client_does_not_notice(customer):
    instance = customer.instance()
    for _ in range(2):
        asleep(instance)

        answer = instance.http.post(instance.mcp, json=LIST_TOOLS, headers={**MCP_HEADERS, **instance.authorization})

        assert answer.status_code == 200
        assert "memory_search" in answer.text


def test_it_wakes_with_everything_else_stopped(stack, customer):
    instance = customer.instance()
    asleep(instance)

    with ExitStack() as stopped:
        for program in ("worker", "control-plane", "redis", "postgres"):
            stopped.enter_context(stack.without(program))
        answer = instance.save("written while all else was off")

    assert answer.status_code == 200, answer.text
    until(stack.is_ready)


def test_a_key_that_is_revoked_while_it_sleeps_is_refused_at_once_and_starts_nothing(customer):
    instance = customer.instance()
    made = customer.call("POST", f"/substrates/{instance.id}/keys", json={"name": "lost", "scopes": ["read"]}).json()
    asleep(instance)

    revoked = customer.call("DELETE", f"/substrates/{instance.id}/keys/{made['key']['id']}")

    assert revoked.json()["propagated"] is True
    assert instance.whoami(key=made["secret"]).status_code == 401
    assert containers(instance) == []


def test_requests_all_through_many_sleeps_are_all_answered(customer):
    """Each client asks about as often as its tenant falls asleep, so that many meet it in the moment of closing."""
    instances = [customer.instance() for _ in range(3)]
    ends = time.monotonic() + 30

    def keep_asking(number: int) -> list[int]:
        instance, codes = instances[number % len(instances)], []
        while time.monotonic() < ends:
            codes.append(instance.save(f"one more of {number} at {time.monotonic()}").status_code)
            time.sleep(2.0 + (os.urandom(1)[0] / 255) * 2.0)
        return codes

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = [code for codes in pool.map(keep_asking, range(6)) for code in codes]

    assert set(answers) == {200}
    saved = sum(instance.call("GET", "/v1/usage").json()["atoms"]["used"] for instance in instances)
    assert saved == len(answers), "each was carried out, and once"
