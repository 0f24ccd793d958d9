"""Keys: who is let in, and what everybody else is told."""

from datetime import timedelta

import pytest

from shared.contracts.policy import Ended, Probe, Scope
from shared.kernel.clock import to_ms
from shared.keys import format as key_format
from tests.support.policies import PROBE, PolicyBuilder, grant
from tests.support.tenant import NOON, Tenant

HOUR = timedelta(hours=1)


def _refused(answer, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="loam"')
    assert answer.json()["next_action"]


async def test_whoami_tells_what_the_key_is(tenant: Tenant):
    answer = (await tenant.call("GET", "/v1/whoami")).json()

    assert answer == {
        "key": "laptop",
        "key_id": "key_1",
        "scopes": ["read", "write", "export"],
        "instance": tenant.builder.policy.instance_url,
        "plan": "starter",
        "mode": "running",
        "epoch": 1,
        "generation": 1,
    }


@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/atoms", "/mcp", "/v1/nothing", "/", "/v1/openapi.json"])
async def test_nothing_is_open_without_a_key(tenant: Tenant, path):
    answer = await tenant.edge.get(path)

    _refused(answer, "key_missing")
    assert "error=" not in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    ("presented", "code"),
    [
        ("", "key_missing"),
        ("${MEMORY_KEY}", "key_unexpanded"),
        ("$MEMORY_KEY", "key_unexpanded"),
        ("sk-something", "key_malformed"),
        ("mmk_" + "a" * 38, "key_checksum_wrong"),
        ("mmk_" + "a" * 37, "key_malformed"),
        (key_format.mint(), "key_unknown"),
        ("lpb_" + "1" * 64, "key_unknown"),
    ],
)
async def test_a_bad_key_learns_what_is_wrong_and_nothing_else(tenant: Tenant, presented, code):
    answer = await tenant.edge.get("/v1/whoami", headers={"Authorization": f"Bearer {presented}".strip()})

    _refused(answer, code)
    assert not presented or presented not in answer.text


async def test_a_key_of_another_instance_is_unknown_here(tenant: Tenant):
    _refused(await tenant.call("GET", "/v1/whoami", key=PolicyBuilder().key), "key_unknown")


async def test_two_different_keys_in_one_request_are_as_good_as_none(tenant: Tenant):
    headers = [("Authorization", f"Bearer {tenant.builder.key}"), ("Authorization", "Bearer other")]

    _refused(await tenant.edge.get("/v1/whoami", headers=headers), "key_missing")


async def test_a_key_expires_on_time_with_the_control_plane_off(tenant: Tenant):
    until = to_ms(NOON + HOUR)
    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, not_after_ms=until),)))
    assert (await tenant.call("GET", "/v1/whoami")).json()["expires_at"] == "2026-11-21T13:00:00Z"

    tenant.clock.move(HOUR - timedelta(milliseconds=1))
    assert (await tenant.call("GET", "/v1/whoami")).status_code == 200
    tenant.clock.move(timedelta(milliseconds=1))

    answer = await tenant.call("GET", "/v1/whoami")
    _refused(answer, "key_expired")
    assert "2026-11-21T13:00:00Z" in answer.json()["detail"]


async def test_a_key_that_is_not_valid_yet_works_from_its_time_on(tenant: Tenant):
    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, not_before_ms=to_ms(NOON + HOUR)),)))
    _refused(await tenant.call("GET", "/v1/whoami"), "key_not_yet_valid")

    tenant.clock.move(HOUR)

    assert (await tenant.call("GET", "/v1/whoami")).status_code == 200


@pytest.mark.parametrize(("ended", "code"), [(Ended.REVOKED, "key_revoked"), (Ended.ROTATED, "key_rotated")])
async def test_a_pushed_end_is_enforced_from_the_next_request_on(tenant: Tenant, ended, code):
    assert (await tenant.call("GET", "/v1/whoami")).status_code == 200

    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, ended=ended, ended_at_ms=to_ms(NOON)),)))

    _refused(await tenant.call("GET", "/v1/whoami"), code)
    _refused(await tenant.call("POST", "/mcp", json={}), code)


async def test_both_secrets_of_a_rotating_key_work_during_the_grace(tenant: Tenant):
    old, new = tenant.builder.key, PolicyBuilder().key
    ends = to_ms(NOON + HOUR)
    await tenant.push(
        tenant.builder.next(keys=(grant(old, ended=Ended.ROTATED, ended_at_ms=ends, not_after_ms=ends), grant(new)))
    )

    assert (await tenant.call("GET", "/v1/whoami", key=old)).status_code == 200
    tenant.clock.move(HOUR)

    _refused(await tenant.call("GET", "/v1/whoami", key=old), "key_rotated")
    assert (await tenant.call("GET", "/v1/whoami", key=new)).status_code == 200


async def test_a_key_without_the_scope_is_told_which_one_it_needs(tenant: Tenant):
    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, scopes=(Scope.READ,)),)))

    answer = await tenant.save("anything")

    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
    assert 'scope="write"' in answer.headers["www-authenticate"]
    assert (await tenant.call("GET", "/v1/atoms")).status_code == 200


async def test_a_key_bound_to_namespaces_opens_no_other(tenant: Tenant):
    bound = PolicyBuilder().key
    await tenant.push(
        tenant.builder.next(
            keys=(*tenant.builder.policy.keys, grant(bound, key_id="key_2", namespaces=("team", "shared")))
        )
    )
    await tenant.saved({"name": "fact.secret", "content": "tea in default"})
    await tenant.saved({"name": "fact.shared", "content": "tea in shared", "namespace": "shared"})

    own = (await tenant.save({"name": "fact.own", "content": "tea in team"}, key=bound)).json()["atoms"][0]
    search = await tenant.call("POST", "/v1/search", key=bound, json={"query": "tea"})
    listed = await tenant.call("GET", "/v1/atoms", key=bound)
    refusals = [
        await tenant.save({"content": "x", "namespace": "default"}, key=bound),
        await tenant.call("GET", "/v1/atoms/fact.secret", key=bound, params={"namespace": "default"}),
        await tenant.call("GET", "/v1/atoms", key=bound, params={"namespace": "default"}),
        await tenant.call("POST", "/v1/search", key=bound, json={"query": "tea", "namespace": "default"}),
        await tenant.call("DELETE", "/v1/atoms/fact.secret", key=bound, params={"namespace": "default"}),
        await tenant.call("GET", "/v1/atoms/fact.secret/history", key=bound, params={"namespace": "default"}),
    ]

    assert own["namespace"] == "team"
    assert {result["name"] for result in search.json()["results"]} == {"fact.own", "fact.shared"}
    assert [atom["name"] for atom in listed.json()["atoms"]] == ["fact.shared", "fact.own"]
    assert (await tenant.call("GET", "/v1/atoms/fact.secret", key=bound)).status_code == 404
    assert {(answer.status_code, answer.json()["code"]) for answer in refusals} == {(403, "namespace_not_bound")}


async def test_the_probe_opens_whoami_only(tenant: Tenant):
    assert (await tenant.call("GET", "/v1/whoami", key=PROBE)).json()["key"] == "probe"

    refusals = [
        await tenant.call("GET", "/v1/atoms", key=PROBE),
        await tenant.call("GET", "/v1/usage", key=PROBE),
        await tenant.call("GET", "/v1/openapi.json", key=PROBE),
        await tenant.save("x", key=PROBE),
        await tenant.call("POST", "/mcp", key=PROBE, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in refusals} == {(403, "probe_opens_whoami_only")}


async def test_the_probe_ends_a_minute_after_the_policy_was_applied(tenant: Tenant):
    tenant.clock.move(timedelta(seconds=59))
    assert (await tenant.call("GET", "/v1/whoami", key=PROBE)).status_code == 200
    tenant.clock.move(timedelta(seconds=1))
    _refused(await tenant.call("GET", "/v1/whoami", key=PROBE), "key_unknown")

    await tenant.push(tenant.builder.next())

    assert (await tenant.call("GET", "/v1/whoami", key=PROBE)).status_code == 200


async def test_setting_the_clock_back_does_not_lengthen_the_probe(tenant: Tenant):
    tenant.clock.seconds += 61
    tenant.clock.moment -= timedelta(days=1)

    _refused(await tenant.call("GET", "/v1/whoami", key=PROBE), "key_unknown")


async def test_another_policys_probe_opens_nothing(tenant: Tenant):
    await tenant.push(tenant.builder.next(probe=Probe(digest=key_format.digest("lpb_" + "2" * 64))))

    _refused(await tenant.call("GET", "/v1/whoami", key=PROBE), "key_unknown")


async def test_the_scheme_may_be_left_out_or_written_in_any_case(tenant: Tenant):
    for header in (tenant.builder.key, f"bearer {tenant.builder.key}", f"BEARER  {tenant.builder.key}"):
        assert (await tenant.edge.get("/v1/whoami", headers={"Authorization": header})).status_code == 200


async def test_the_provisioner_learns_when_each_key_was_used_last(tenant: Tenant):
    await tenant.call("GET", "/v1/whoami")
    tenant.clock.move(HOUR)
    await tenant.call("GET", "/v1/whoami", key=PROBE)

    status = (await tenant.control.get("/status")).json()

    assert status["keys"] == [{"key_id": "key_1", "at_ms": to_ms(NOON), "client": None}]
    assert status["last_request_ms"] == to_ms(NOON)
