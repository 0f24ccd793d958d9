"""The product in miniature: subscribe, claim, remember, revoke, destroy."""

import concurrent.futures
import json

import docker
import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.journey


def test_a_customer_subscribes_claims_the_key_saves_a_memory_and_finds_it(customer):
    instance = customer.instance(trial=True)

    saved = instance.save("The office moved to Lisbon in May.", "Ada prefers tea.")
    found = instance.search("where is the office?")

    assert saved.status_code == 200, saved.text
    assert [atom["version"] for atom in saved.json()["atoms"]] == [1, 1]
    assert found.json()["results"][0]["content"] == "The office moved to Lisbon in May."


def test_the_dashboard_figures_are_live(customer):
    instance = customer.instance()
    instance.save("one", "two", "three")

    shown = until(
        lambda: (found := customer.call("GET", f"/substrates/{instance.id}").json())["atoms"]["used"] == 3 and found
    )

    assert shown["status"] == "running"
    assert shown["atoms"] == {"used": 3, "limit": 1000}
    assert shown["bootstraps"]["limit"] == 200
    assert shown["storage_bytes"]["used"] > 0


def test_progress_is_told_step_by_step(customer):
    asked = customer.subscribe()

    operation = customer.ended(asked["operation"]["id"])

    assert operation["status"] == "succeeded"
    assert [step["name"] for step in operation["steps"]] == [
        "make_folders",
        "carry_policy",
        "start_server",
        "wait_until_ready",
        "apply_limits",
    ]


def test_of_fifty_clients_that_claim_at_once_one_gets_the_key(customer):
    asked = customer.subscribe()
    customer.ended(asked["operation"]["id"])
    substrate = asked["substrate"]["id"]
    (key,) = customer.call("GET", f"/substrates/{substrate}/keys").json()["keys"]

    def claim(_):
        return customer.call("POST", f"/substrates/{substrate}/keys/{key['id']}/claim")

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(claim, range(50)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 49
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"already_claimed"}


def test_a_key_opens_its_own_instance_and_no_other(customer, stack):
    mine = customer.instance()
    with stack.customer() as somebody:
        theirs = somebody.instance()

        refused = theirs.whoami(key=mine.key)

        assert refused.status_code == 401
        assert refused.json()["code"] == "key_unknown"
        assert theirs.whoami().status_code == 200
        assert customer.call("GET", f"/substrates/{theirs.id}").status_code == 404


def test_a_new_key_works_at_once_and_a_revoked_one_never_again(customer):
    instance = customer.instance()
    made = customer.call("POST", f"/substrates/{instance.id}/keys", json={"name": "laptop", "scopes": ["read"]}).json()
    assert instance.whoami(key=made["secret"]).status_code == 200
    assert instance.save("x", key=made["secret"]).status_code == 403

    revoked = customer.call("DELETE", f"/substrates/{instance.id}/keys/{made['key']['id']}")

    assert (revoked.status_code, revoked.json()["propagated"]) == (200, True)
    refused = instance.whoami(key=made["secret"])
    assert (refused.status_code, refused.json()["code"]) == (401, "key_revoked")
    assert instance.whoami().status_code == 200


def test_destroying_leaves_no_container_no_folder_and_no_row_that_should_be_gone(customer, stack):
    instance = customer.instance()
    instance.save("to be forgotten")
    folders = stack.folders(instance)
    assert folders.tenant.exists()

    asked = customer.erase(instance.id)
    operation = customer.ended(asked.json()["operation"]["id"])

    assert (asked.status_code, operation["status"]) == (202, "succeeded")
    for folder in (folders.tenant, folders.control, folders.edge, stack.state.slugs / instance.slug):
        assert not folder.exists()
    with_label = docker.from_env().containers.list(all=True, filters={"label": f"loam.substrate={instance.id}"})
    assert with_label == []
    assert customer.call("GET", f"/substrates/{instance.id}").json()["status"] == "deleted"
    assert customer.call("GET", f"/substrates/{instance.id}/keys").json()["keys"] == []
    gone = instance.whoami()
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_instance")


def test_a_substrate_can_be_destroyed_while_it_is_being_provisioned(customer, stack):
    asked = customer.subscribe()
    substrate = asked["substrate"]["id"]

    destroyed = customer.erase(substrate).json()

    assert customer.ended(destroyed["operation"]["id"])["status"] == "succeeded"
    assert customer.ended(asked["operation"]["id"])["status"] in {"canceled", "succeeded"}
    until(lambda: not (stack.state.tenants / substrate).exists())
    until(lambda: not docker.from_env().containers.list(all=True, filters={"label": f"loam.substrate={substrate}"}))


def test_the_command_line_tool_says_where_everything_is(stack):
    info = json.loads(stack.loam("info", "--json").stdout)

    assert set(info) >= {"api_url", "dashboard_url", "domain", "ca_file", "state_dir", "runtime", "staff_token_file"}
    assert info["runtime"] == "docker"


def test_the_doctor_finds_nothing_wrong(stack):
    done = stack.loam("doctor", "--json")

    checks = json.loads(done.stdout)["checks"]
    assert [check for check in checks if check["verdict"] == "bad"] == []
    assert {"docker", "names", "ports", "programs", "API"} <= {check["name"] for check in checks}


def test_up_again_is_safe_and_keeps_what_runs(stack, shared_instance):
    before = shared_instance.save("kept").json()

    stack.loam("up", "--no-demo")

    assert shared_instance.search("kept").json()["results"]
    assert before["atoms"]
