"""Modes and scopes: every cell of the one table, over both faces."""

import itertools

import pytest

from shared.contracts.modes import ALLOWED, SCOPE_FOR, Action
from shared.contracts.policy import DEFAULT_SCOPES, Mode, Scope
from shared.lifecycle.substrate import Reason, Status, mode_of
from tests.support.policies import grant
from tests.support.tenant import Tenant

ROUTES = {
    "save": (Action.WRITE, "POST", "/v1/atoms", {"json": {"atoms": [{"content": "x"}]}}),
    "forget": (Action.WRITE, "DELETE", "/v1/atoms/fact.there", {}),
    "list": (Action.READ, "GET", "/v1/atoms", {}),
    "get": (Action.READ, "GET", "/v1/atoms/fact.there", {}),
    "history": (Action.READ, "GET", "/v1/atoms/fact.there/history", {}),
    "search": (Action.READ, "POST", "/v1/search", {"json": {"query": "there"}}),
}
TOOLS = {
    "memory_save": (Action.WRITE, {"atoms": [{"content": "x"}]}),
    "memory_forget": (Action.WRITE, {"name": "fact.there"}),
    "memory_search": (Action.READ, {"query": "there"}),
    "memory_get": (Action.READ, {"names": ["fact.there"]}),
    "memory_list": (Action.READ, {}),
}

STANDINGS = [(status, restricted) for status in Status for restricted in (False, True)]
"""Every status that a substrate can have, and whether anything makes it read_only."""


@pytest.mark.parametrize(("status", "restricted"), STANDINGS)
async def test_both_faces_do_in_every_status_what_the_table_says(tenant: Tenant, status, restricted):
    mode = mode_of(status, restricted=restricted)
    await tenant.saved({"name": "fact.there", "content": "there"})
    await tenant.push(tenant.builder.next(mode=mode))

    for tool, (action, arguments) in sorted(TOOLS.items(), key=lambda item: item[1][0]):
        result = await tenant.tool(tool, arguments)
        assert result["isError"] is (action not in ALLOWED[mode]), (tool, result)
    for action, method, path, body in sorted(ROUTES.values(), key=lambda route: route[0]):
        answer = await tenant.call(method, path, **body)
        assert answer.status_code in ({200, 404} if action in ALLOWED[mode] else {403}), (path, answer.text)


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_is_told_to_whoever_is_refused(tenant: Tenant, reason):
    await tenant.push(tenant.builder.next(mode=Mode.READ_ONLY, mode_reason=reason.value))

    answer = await tenant.call("POST", "/v1/atoms", json={"atoms": [{"content": "x"}]})
    result = await tenant.tool("memory_save", {"atoms": [{"content": "x"}]})

    assert f"({reason.value})" in answer.json()["detail"]
    assert f"({reason.value})" in str(result["content"])


@pytest.mark.parametrize("mode", Mode)
async def test_rest_does_in_each_mode_what_the_table_says(tenant: Tenant, mode):
    await tenant.saved({"name": "fact.there", "content": "there"})
    await tenant.push(tenant.builder.next(mode=mode, mode_reason="payment"))

    # Reading first: forgetting leaves nothing to read.
    for action, method, path, body in sorted(ROUTES.values(), key=lambda route: route[0]):
        answer = await tenant.call(method, path, **body)

        if action in ALLOWED[mode]:
            assert answer.status_code == 200, (path, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "mode_refuses")
            assert "(payment)" in answer.json()["detail"]


@pytest.mark.parametrize("mode", Mode)
async def test_tools_do_in_each_mode_what_the_table_says(tenant: Tenant, mode):
    await tenant.saved({"name": "fact.there", "content": "there"})
    await tenant.push(tenant.builder.next(mode=mode))

    for tool, (action, arguments) in sorted(TOOLS.items(), key=lambda item: item[1][0]):
        result = await tenant.tool(tool, arguments)

        assert result["isError"] is (action not in ALLOWED[mode]), (tool, result)


@pytest.mark.parametrize("mode", Mode)
async def test_a_key_can_ask_who_it_is_and_what_is_used_in_every_mode(tenant: Tenant, mode):
    await tenant.push(tenant.builder.next(mode=mode))

    assert (await tenant.call("GET", "/v1/whoami")).json()["mode"] == mode.value
    assert (await tenant.call("GET", "/v1/usage")).status_code == 200


@pytest.mark.parametrize("scopes", [*itertools.combinations(DEFAULT_SCOPES, 1), (), (Scope.ERASE,)])
async def test_each_scope_opens_its_own_actions_only(tenant: Tenant, scopes):
    await tenant.saved({"name": "fact.there", "content": "there"})
    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, scopes=scopes),)))

    for action, method, path, body in sorted(ROUTES.values(), key=lambda route: route[0]):
        answer = await tenant.call(method, path, **body)
        assert (answer.status_code == 200) is (SCOPE_FOR[action] in scopes), (path, answer.text)


@pytest.mark.parametrize("scopes", [*itertools.combinations(DEFAULT_SCOPES, 1), ()])
async def test_each_scope_opens_its_own_tools_only(tenant: Tenant, scopes):
    await tenant.saved({"name": "fact.there", "content": "there"})
    await tenant.push(tenant.builder.next(keys=(grant(tenant.builder.key, scopes=scopes),)))

    for tool, (action, arguments) in sorted(TOOLS.items(), key=lambda item: item[1][0]):
        result = await tenant.tool(tool, arguments)
        assert result["isError"] is (SCOPE_FOR[action] not in scopes), (tool, result)
