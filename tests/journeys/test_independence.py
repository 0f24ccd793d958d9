"""What goes on working while a part is down."""

import subprocess

import pytest
import redis

from tests.support.waiting import until

pytestmark = pytest.mark.journey

PROGRAMS = ("control-plane", "worker", "waker", "redis", "postgres")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_tenant_answers_while_a_part_is_stopped(stack, shared_instance, program):
    with stack.without(program):
        assert shared_instance.save(f"written without {program}").status_code == 200
        assert shared_instance.search(program).json()["results"]
        assert shared_instance.whoami(key="mmk_wrong").status_code == 401

    until(stack.is_ready)


def test_a_subscription_is_provisioned_while_redis_is_down(stack):
    with stack.customer() as somebody, stack.without("redis"):
        assert somebody.instance().whoami().status_code == 200


def test_flushing_redis_in_mid_provision_loses_nothing(stack):
    with stack.customer() as somebody:
        operations = []
        for plan in ("starter", "solo", "pro"):
            operations.append(somebody.subscribe(plan)["operation"]["id"])
            flush(stack)

        assert [somebody.ended(operation)["status"] for operation in operations] == ["succeeded"] * 3


def test_a_subscription_waits_for_a_worker_and_is_provisioned_by_it(stack):
    with stack.customer() as somebody:
        with stack.without("worker"):
            asked = somebody.subscribe()
            assert somebody.call("GET", f"/operations/{asked['operation']['id']}").json()["status"] == "queued"

        assert somebody.ended(asked["operation"]["id"])["status"] == "succeeded"


def test_a_worker_that_is_killed_in_mid_provision_is_succeeded_by_the_next(stack):
    with stack.customer() as somebody:
        asked = somebody.subscribe()
        pid = int(stack.supervisor("pid", "worker").strip())
        subprocess.run(["kill", "-9", str(pid)], check=True)

        assert somebody.ended(asked["operation"]["id"])["status"] == "succeeded"
        assert somebody.claimed(asked["substrate"]["id"]).whoami().status_code == 200


def flush(stack) -> None:
    """Empty Redis, as its operator could."""
    with redis.Redis(unix_socket_path=str(stack.state.root / "redis" / "redis.sock")) as client:
        client.flushall()
