"""Policies: what is enforced, in which order, and what never is."""

import pytest

from shared.contracts.policy import Mode
from tests.support.policies import OTHER_SEED, PolicyBuilder, trust_json
from tests.support.tenant import MovedClock, Tenant, TenantFiles, serving


async def _is_closed(tenant: Tenant) -> bool:
    answers = [await tenant.call("GET", path) for path in ("/v1/whoami", "/healthz", "/mcp")]
    return {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "no_policy")}


@pytest.mark.parametrize(
    "policy",
    [None, "", "not a policy", "a.b.c", "\u00e9", PolicyBuilder.with_key().signed(OTHER_SEED)],
    ids=["absent", "empty", "no JWS", "broken JWS", "no ASCII", "signed by another"],
)
async def test_without_a_good_policy_nothing_is_open_until_one_is_pushed(
    tenant_folder, builder: PolicyBuilder, clock: MovedClock, policy
):
    files = TenantFiles(tenant_folder).prepare(policy)

    async with serving(files, builder, clock) as tenant:
        assert await _is_closed(tenant)
        assert (await tenant.control.get("/status")).json()["generation"] == 0

        assert (await tenant.push(builder)).json() == {"epoch": 1, "generation": 1}

        assert (await tenant.call("GET", "/v1/whoami")).status_code == 200


async def test_a_policy_for_another_substrate_is_not_loaded(tenant_folder, builder: PolicyBuilder, clock: MovedClock):
    files = TenantFiles(tenant_folder).prepare(builder.changed(substrate="sub_other").signed())

    async with serving(files, builder, clock) as tenant:
        assert await _is_closed(tenant)


async def test_a_server_started_again_enforces_the_hosts_policy(files: TenantFiles, builder, clock: MovedClock):
    async with serving(files, builder, clock) as tenant:
        await tenant.saved("kept over the restart")

    async with serving(files, builder, clock) as tenant:
        assert await tenant.found("restart") != []


async def test_a_policy_older_than_one_applied_before_is_not_loaded(files: TenantFiles, builder, clock: MovedClock):
    async with serving(files, builder, clock) as tenant:
        await tenant.push(builder.next())

    async with serving(files, builder, clock) as tenant:
        assert await _is_closed(tenant)
        assert (await tenant.push(builder.next())).status_code == 200


async def test_an_older_policy_is_refused_and_the_newer_stays(tenant: Tenant):
    first = tenant.builder
    await tenant.push(first.next(mode=Mode.READ_ONLY))

    answer = await tenant.control.put("/policy", content=first.signed())

    assert (answer.status_code, answer.json()["code"]) == (409, "policy_older")
    assert (await tenant.call("GET", "/v1/whoami")).json()["mode"] == "read_only"


async def test_the_same_policy_again_is_accepted(tenant: Tenant):
    answers = [await tenant.push(tenant.builder) for _ in range(3)]

    assert [answer.json() for answer in answers] == [{"epoch": 1, "generation": 1}] * 3


async def test_a_new_epoch_beats_any_generation_of_the_old_one(tenant: Tenant):
    late = tenant.builder.changed(generation=900)
    await tenant.push(late)

    assert (await tenant.push(late.changed(epoch=2, generation=1))).status_code == 200
    assert (await tenant.push(late.changed(generation=901))).status_code == 409


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"\xff\xfe", b"a.b.c", PolicyBuilder.with_key().next().signed(OTHER_SEED).encode()],
    ids=["empty", "JSON", "binary", "broken", "signed by another"],
)
async def test_a_push_that_is_no_policy_changes_nothing(tenant: Tenant, body):
    answer = await tenant.control.put("/policy", content=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "policy_refused")
    assert (await tenant.call("GET", "/v1/whoami")).json()["generation"] == 1


async def test_a_push_for_another_substrate_is_refused(tenant: Tenant):
    answer = await tenant.control.put("/policy", content=tenant.builder.next(substrate="sub_other").signed())

    assert answer.status_code == 422


async def test_a_push_larger_than_any_policy_is_refused(tenant: Tenant):
    answer = await tenant.control.put("/policy", content=b"a" * (4 * 1024 * 1024 + 1))

    assert answer.status_code == 413


async def test_a_new_signing_key_is_accepted_once_the_host_trusts_it(tenant: Tenant):
    pushed = tenant.builder.next()
    assert (await tenant.control.put("/policy", content=pushed.signed(OTHER_SEED))).status_code == 422

    (tenant.files.root / "host" / "trust").write_bytes(trust_json(OTHER_SEED))

    assert (await tenant.control.put("/policy", content=pushed.signed(OTHER_SEED))).status_code == 200


async def test_the_edge_knows_nothing_of_the_control_sockets_routes(tenant: Tenant):
    assert (await tenant.call("GET", "/status")).status_code == 404
    assert (await tenant.call("PUT", "/policy", content=tenant.builder.next().signed())).status_code == 404
    assert (await tenant.control.get("/v1/atoms")).status_code == 404


async def test_status_tells_usage_and_what_is_in_force(tenant: Tenant):
    await tenant.saved("one", "two")

    status = (await tenant.control.get("/status")).json()

    assert status["substrate"] == tenant.builder.policy.substrate
    assert (status["epoch"], status["generation"]) == (1, 1)
    assert status["usage"]["atoms"] == 2
    assert status["usage"]["storage_bytes"] > 0
    assert status["usage"]["month"] == "2026-11"
    assert set(status["versions"]) == {"server", "sqlite"}
