"""Reading: search, lists, history, usage, and atoms whose time is over."""

from datetime import timedelta

import pytest

from data_plane.actions.usage import Meter
from shared.kernel.clock import iso
from tests.support.policies import ROOMY
from tests.support.tenant import NOON, Tenant


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Where does Alice work?", "fact.alice-work"),
        ("teas that bob enjoys", "preference.bob-tea"),
        ("what happened on 14 March", "event.launch"),
        ("2026-03-14", "event.launch"),
        ("Saturday launch", "event.launch"),
        ("urgent", "task.tax"),
        ("café", "note.cafe"),
        ("cafe", "note.cafe"),
    ],
)
async def test_a_question_finds_its_answer_first(tenant: Tenant, question, expected):
    await tenant.saved(
        {"name": "fact.alice-work", "content": "Alice works at the harbour in Bergen"},
        {"name": "preference.bob-tea", "content": "Bob enjoys oolong tea in the morning"},
        {"name": "event.launch", "content": "The product was released", "occurred_at": "2026-03-14T09:00:00Z"},
        {"name": "task.tax", "content": "File the tax return", "tags": ["urgent"]},
        {"name": "note.cafe", "content": "We met in the Café Central"},
    )

    assert (await tenant.found(question))[0] == expected


async def test_a_search_can_be_narrowed(tenant: Tenant):
    await tenant.saved(
        {"name": "fact.a", "content": "tea one", "session": "s1", "tags": ["t"]},
        {"name": "task.b", "content": "tea two", "session": "s2"},
        {"name": "fact.c", "content": "tea three", "namespace": "other"},
    )

    assert set(await tenant.found("tea")) == {"fact.a", "task.b", "fact.c"}
    assert await tenant.found("tea", type="task") == ["task.b"]
    assert await tenant.found("tea", session="s1") == ["fact.a"]
    assert await tenant.found("tea", tag="t") == ["fact.a"]
    assert await tenant.found("tea", namespace="other") == ["fact.c"]
    assert len(await tenant.found("tea", limit=2)) == 2


async def test_a_question_without_words_finds_nothing(tenant: Tenant):
    await tenant.saved("something")

    assert await tenant.found("?!") == []


async def test_a_question_of_common_words_only_still_looks_for_them(tenant: Tenant):
    await tenant.saved("to be or not to be")

    assert len(await tenant.found("to be")) == 1


async def test_searching_changes_no_order(tenant: Tenant):
    await tenant.saved(*[f"tea number {number}" for number in range(20)])
    before = await tenant.found("tea number", limit=20)

    for _ in range(3):
        await tenant.found("tea 7")

    assert await tenant.found("tea number", limit=20) == before


async def test_a_listing_is_paged_by_an_opaque_cursor(tenant: Tenant):
    names = [f"fact.n{number:02d}" for number in range(25)]
    await tenant.saved(*[{"name": name, "content": name} for name in reversed(names)])

    seen: list[str] = []
    query: dict[str, object] = {"limit": 10}
    for expected in (10, 10, 5):
        page = (await tenant.call("GET", "/v1/atoms", params=query)).json()
        assert len(page["atoms"]) == expected
        seen += [atom["name"] for atom in page["atoms"]]
        query["cursor"] = page.get("cursor")

    assert seen == names
    assert query["cursor"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"prefix": "fact."}, ["fact.a", "fact.b"]),
        ({"prefix": "fact.a"}, ["fact.a"]),
        ({"prefix": "%"}, []),
        ({"type": "task"}, ["task.c"]),
        ({"tag": "red"}, ["fact.b", "task.c"]),
        ({"tag": "red", "type": "fact"}, ["fact.b"]),
        ({"namespace": "nowhere"}, []),
    ],
)
async def test_a_listing_can_be_narrowed(tenant: Tenant, query, expected):
    await tenant.saved(
        {"name": "fact.a", "content": "1"},
        {"name": "fact.b", "content": "2", "tags": ["red"]},
        {"name": "task.c", "content": "3", "tags": ["blue", "red"]},
    )

    page = (await tenant.call("GET", "/v1/atoms", params=query)).json()

    assert [atom["name"] for atom in page["atoms"]] == expected


async def test_a_long_history_is_paged(tenant: Tenant):
    for number in range(5):
        await tenant.saved({"name": "state.count", "content": f"{number}"})

    first = (await tenant.call("GET", "/v1/atoms/state.count/history", params={"limit": 3})).json()
    rest = await tenant.call("GET", "/v1/atoms/state.count/history", params={"limit": 3, "cursor": first["cursor"]})

    assert [version["version"] for version in first["versions"] + rest.json()["versions"]] == [5, 4, 3, 2, 1]
    assert "cursor" not in rest.json()


async def test_the_history_of_a_name_that_was_never_used_is_not_there(tenant: Tenant):
    answer = await tenant.call("GET", "/v1/atoms/fact.never/history")

    assert (answer.status_code, answer.json()["code"]) == (404, "atom_not_found")


async def test_names_live_in_their_namespace(tenant: Tenant):
    await tenant.saved({"name": "fact.x", "content": "here"}, {"name": "fact.x", "content": "there", "namespace": "b"})

    there = await tenant.call("GET", "/v1/atoms/fact.x", params={"namespace": "b"})

    assert (await tenant.call("GET", "/v1/atoms/fact.x")).json()["content"] == "here"
    assert there.json()["content"] == "there"


async def test_an_expired_atom_is_gone_at_once_and_then_buried(tenant: Tenant):
    await tenant.saved({"name": "note.soon", "content": "tea until one", "expires_at": iso(NOON + timedelta(hours=1))})
    assert await tenant.found("tea") == ["note.soon"]

    tenant.clock.move(timedelta(hours=1))

    assert await tenant.found("tea") == []
    assert (await tenant.call("GET", "/v1/atoms/note.soon")).status_code == 404
    assert (await tenant.call("GET", "/v1/atoms")).json()["atoms"] == []
    assert (await tenant.call("GET", "/v1/usage")).json()["atoms"]["used"] == 0

    await tenant.saved("another")

    history = (await tenant.call("GET", "/v1/atoms/note.soon/history")).json()["versions"]
    assert [version.get("forgotten", False) for version in history] == [True, False]


async def test_an_expired_atom_makes_room_in_a_full_plan(tenant: Tenant):
    await tenant.push(tenant.builder.next(limits=type(ROOMY)(atoms=1, atom_bytes=4_096, storage_bytes=10_000_000)))
    await tenant.saved({"content": "brief", "expires_at": iso(NOON + timedelta(hours=1))})
    assert (await tenant.save("second")).status_code == 403

    tenant.clock.move(timedelta(hours=1))

    assert (await tenant.save("second")).status_code == 200


async def test_an_atom_saved_again_after_its_end_is_alive(tenant: Tenant):
    draft = {"name": "note.x", "content": "tea", "expires_at": iso(NOON + timedelta(hours=1))}
    await tenant.saved(draft)
    tenant.clock.move(timedelta(hours=2))

    (receipt,) = await tenant.saved({**draft, "expires_at": iso(NOON + timedelta(hours=3))})

    assert (receipt["outcome"], receipt["version"]) == ("revived", 3)
    assert await tenant.found("tea") == ["note.x"]


async def test_usage_warns_before_a_limit_is_reached(tenant: Tenant):
    await tenant.push(tenant.builder.next(limits=type(ROOMY)(atoms=20, atom_bytes=100, storage_bytes=10_000_000)))

    warnings = []
    for number in range(20):
        await tenant.saved(f"atom {number}")
        warnings.append((await tenant.call("GET", "/v1/usage")).json()["atoms"].get("warning"))

    assert warnings == [None] * 15 + ["over 80 %"] * 3 + ["over 95 %", "full"]


async def test_usage_tells_when_the_month_ends(tenant: Tenant):
    usage = (await tenant.call("GET", "/v1/usage")).json()

    assert usage["month"] == "2026-11"
    assert usage["bootstraps"] == {"used": 0, "limit": 200, "percent": 0, "resets_at": "2026-12-01T00:00:00Z"}


async def test_december_ends_in_the_next_year(tenant: Tenant):
    tenant.clock.move(timedelta(days=30))

    assert (await tenant.call("GET", "/v1/usage")).json()["bootstraps"]["resets_at"] == "2027-01-01T00:00:00Z"


def test_an_unlimited_meter_has_no_percent():
    assert Meter.of(5, None) == Meter(used=5)
