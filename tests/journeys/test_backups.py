"""Backups as customers and operators make and restore them: real servers, a real registry, the real commands."""

import base64
import json

import pytest

from tests.support.waiting import until

pytestmark = pytest.mark.journey

THERE_ALREADY = "There is a registry with accounts already."


def test_a_restored_memory_is_the_one_that_was_backed_up_and_keys_stay(customer, instance):
    instance.save("the harbour opens at six")
    before = instance.call("GET", "/v1/atoms").json()["atoms"]
    made = customer.call("POST", f"/substrates/{instance.id}/backups").json()["operation"]
    assert customer.ended(made["id"])["status"] == "succeeded"
    instance.save("this came later")
    (backup,) = customer.call("GET", f"/substrates/{instance.id}/backups").json()["backups"]

    asked = customer.call("POST", f"/substrates/{instance.id}/backups/{backup['id']}/restore").json()["operation"]

    ended = customer.ended(asked["id"])
    assert ended["status"] == "succeeded", ended
    assert instance.call("GET", "/v1/atoms").json()["atoms"] == before
    assert instance.save("and it goes on").status_code == 200


def test_a_restored_registry_is_believed_and_what_it_has_forgotten_opens_nothing(stack, customer, instance, tmp_path):
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n")
    saved = tmp_path / "registry.age"
    stack.loam("backup", str(saved), "--passphrase-file", str(secret))
    assert saved.stat().st_mode & 0o777 == 0o600
    assert b"loam.json" not in saved.read_bytes()
    forgotten = customer.call("POST", f"/substrates/{instance.id}/keys", json={"name": "made after the backup"}).json()
    assert instance.whoami(key=forgotten["secret"]).status_code == 200

    refused = stack.loam("restore", str(saved), "--passphrase-file", str(secret), check=False)
    assert THERE_ALREADY in refused.stderr
    tried = stack.loam("restore", str(saved), "--passphrase-file", str(secret), "--drill")
    assert "It can be restored" in tried.stdout
    assert instance.whoami(key=forgotten["secret"]).status_code == 200, "a drill changes nothing"
    older = _policy_order(stack, instance)

    stack.loam("restore", str(saved), "--passphrase-file", str(secret), "--replace")

    until(lambda: instance.whoami(key=forgotten["secret"]).status_code == 401, what="the forgotten key to end")
    assert instance.whoami().status_code == 200
    assert _policy_order(stack, instance) > older
    names = [key["name"] for key in customer.call("GET", f"/substrates/{instance.id}/keys").json()["keys"]]
    assert "made after the backup" not in names


@pytest.mark.parametrize("harm", ["cut", "changed", "another passphrase"])
def test_a_saved_registry_that_was_harmed_is_refused(stack, shared_instance, tmp_path, harm):
    secret, saved = tmp_path / "passphrase", tmp_path / "registry.age"
    secret.write_text("correct horse")
    stack.loam("backup", str(saved), "--passphrase-file", str(secret))
    content = saved.read_bytes()
    match harm:
        case "cut":
            saved.write_bytes(content[:-1])
        case "changed":
            saved.write_bytes(content[:-50] + bytes([content[-50] ^ 1]) + content[-49:])
        case "another passphrase":
            secret.write_text("wrong horse")

    refused = stack.loam("restore", str(saved), "--passphrase-file", str(secret), "--replace", check=False)

    assert refused.returncode == 1
    assert "cannot be opened" in refused.stderr
    assert shared_instance.whoami().status_code == 200


def _policy_order(stack, instance):
    payload = stack.folders(instance).policy.read_text().split(".")[1]
    found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found["epoch"], found["generation"]
