"""Saving over REST: what a customer is promised about atoms, versions and limits."""

import asyncio

import pytest

from tests.support.policies import ROOMY, PolicyBuilder, grant
from tests.support.tenant import Tenant


async def test_a_saved_atom_can_be_read_searched_and_listed(tenant: Tenant):
    (receipt,) = await tenant.saved({"name": "preference.tea", "content": "Alice likes green tea", "actor": "alice"})

    read = (await tenant.call("GET", "/v1/atoms/preference.tea")).json()
    listed = (await tenant.call("GET", "/v1/atoms")).json()

    assert receipt == {
        "name": "preference.tea",
        "namespace": "default",
        "version": 1,
        "index": 1,
        "outcome": "created",
    }
    assert read["content"] == "Alice likes green tea"
    assert read["type"] == "preference"
    assert read["occurred_at"] == "2026-11-21T12:00:00Z"
    assert None not in read.values()
    assert [atom["name"] for atom in listed["atoms"]] == ["preference.tea"]
    assert await tenant.found("what does Alice like to drink, teas?") == ["preference.tea"]


async def test_the_answer_to_a_save_has_a_place_for_the_checkpoint(tenant: Tenant):
    answer = (await tenant.save("something")).json()

    assert set(answer) == {"atoms", "checkpoint"}
    assert answer["checkpoint"] is None


async def test_every_member_of_an_atom_comes_back(tenant: Tenant):
    draft = {
        "name": "event.launch.2026",
        "content": "We launched. 🚀",
        "session": "s1",
        "actor": "Bob",
        "occurred_at": "2026-11-20T10:00:00+02:00",
        "tags": ["launch", "good news"],
        "source": "human",
        "origin": "stand-up",
        "confidence": 0.75,
        "expires_at": "2027-01-01T00:00:00Z",
        "links": [{"type": "references", "target": "fact.launch-plan"}],
    }
    await tenant.saved(draft)

    read = (await tenant.call("GET", "/v1/atoms/event.launch.2026")).json()

    assert {name: read[name] for name in draft if name != "occurred_at"} == {
        name: value for name, value in draft.items() if name != "occurred_at"
    }
    assert read["occurred_at"] == "2026-11-20T08:00:00Z"


async def test_saving_a_name_again_makes_its_next_version(tenant: Tenant):
    await tenant.saved({"name": "fact.city", "content": "Alice lives in Rome"})
    (receipt,) = await tenant.saved({"name": "fact.city", "content": "Alice lives in Oslo"})

    history = (await tenant.call("GET", "/v1/atoms/fact.city/history")).json()

    assert (receipt["version"], receipt["outcome"], receipt["supersedes"]) == (2, "superseded", 1)
    assert [version["content"] for version in history["versions"]] == ["Alice lives in Oslo", "Alice lives in Rome"]
    assert await tenant.found("Rome") == []
    assert await tenant.found("Oslo") == ["fact.city"]


async def test_saving_the_same_again_changes_nothing(tenant: Tenant):
    (first,) = await tenant.saved({"content": "The sky is blue", "tags": ["sky"]})
    (second,) = await tenant.saved({"content": "The sky is blue", "tags": ["sky"]})

    assert second == {**first, "outcome": "unchanged"}


async def test_the_same_words_in_two_sessions_are_two_atoms(tenant: Tenant):
    (first,) = await tenant.saved({"content": "Yes", "session": "a"})
    (second,) = await tenant.saved({"content": "Yes", "session": "b"})

    assert first["name"] != second["name"]


async def test_forgetting_hides_an_atom_and_keeps_its_past(tenant: Tenant):
    await tenant.saved({"name": "fact.x", "content": "a fact to forget"})

    receipt = (await tenant.call("DELETE", "/v1/atoms/fact.x")).json()
    history = (await tenant.call("GET", "/v1/atoms/fact.x/history")).json()["versions"]

    assert (receipt["version"], receipt["outcome"]) == (2, "forgotten")
    assert (await tenant.call("GET", "/v1/atoms/fact.x")).status_code == 404
    assert (await tenant.call("DELETE", "/v1/atoms/fact.x")).json()["code"] == "atom_not_found"
    assert await tenant.found("fact to forget") == []
    assert [(version["version"], version.get("forgotten", False)) for version in history] == [(2, True), (1, False)]


async def test_a_forgotten_name_goes_on_with_its_versions(tenant: Tenant):
    await tenant.saved({"name": "fact.x", "content": "once"})
    await tenant.call("DELETE", "/v1/atoms/fact.x")

    (receipt,) = await tenant.saved({"name": "fact.x", "content": "once"})

    assert (receipt["version"], receipt["outcome"]) == (3, "revived")
    assert await tenant.found("once") == ["fact.x"]


async def test_a_save_guarded_by_a_version_loses_against_a_newer_one(tenant: Tenant):
    await tenant.saved({"name": "fact.x", "content": "one", "if_version": 0})
    await tenant.saved({"name": "fact.x", "content": "two", "if_version": 1})

    late = await tenant.save({"name": "fact.x", "content": "three", "if_version": 1})
    forgotten = await tenant.call("DELETE", "/v1/atoms/fact.x", params={"if_version": 1})

    assert (late.status_code, late.json()["code"]) == (409, "version_conflict")
    assert forgotten.json()["code"] == "version_conflict"
    assert (await tenant.call("GET", "/v1/atoms/fact.x")).json()["content"] == "two"


async def test_a_save_is_all_or_nothing(tenant: Tenant):
    refused = await tenant.save("fine", {"name": "fact.x", "content": "not fine", "if_version": 7})

    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("atoms[1]:")
    assert (await tenant.call("GET", "/v1/atoms")).json() == {"atoms": []}


async def test_repeating_a_save_with_its_idempotency_key_saves_once(tenant: Tenant):
    first = await tenant.saved({"name": "fact.x", "content": "one"}, idempotency_key="k1")
    await tenant.saved({"name": "fact.x", "content": "two"})

    again = await tenant.saved({"name": "fact.x", "content": "one"}, idempotency_key="k1")
    other = await tenant.save({"name": "fact.x", "content": "three"}, idempotency_key="k1")

    assert again == first
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await tenant.call("GET", "/v1/atoms/fact.x")).json()["content"] == "two"


async def test_the_idempotency_key_may_come_as_a_header(tenant: Tenant):
    order = {"atoms": [{"name": "fact.x", "content": "one"}]}
    first = await tenant.call("POST", "/v1/atoms", json=order, headers={"Idempotency-Key": "h"})
    await tenant.call("DELETE", "/v1/atoms/fact.x")

    again = await tenant.call("POST", "/v1/atoms", json=order, headers={"Idempotency-Key": "h"})

    assert again.json() == first.json()
    assert (await tenant.call("GET", "/v1/atoms/fact.x")).status_code == 404


async def test_idempotency_keys_of_two_api_keys_do_not_meet(tenant: Tenant):
    other = PolicyBuilder()
    await tenant.push(
        tenant.builder.next(keys=(*tenant.builder.policy.keys, grant(other.key, key_id="key_2", name="desk")))
    )
    await tenant.saved("one", idempotency_key="k")

    answer = await tenant.save("two", idempotency_key="k", key=other.key)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("draft", "where"),
    [
        ({"content": "   "}, "atoms[1].content"),
        ({"content": "zero \0 byte"}, "atoms[1].content"),
        ({"content": "x", "name": "No Name"}, "atoms[1].name"),
        ({"content": "x", "name": "noslug"}, "atoms[1].name"),
        ({"content": "x", "name": "fact." + "a" * 200}, "atoms[1].name"),
        ({"content": "x", "name": "fact.a\n"}, "atoms[1].name"),
        ({"content": "x", "name": "fact.a", "type": "event"}, "atoms[1].type"),
        ({"content": "x", "type": "Fact"}, "atoms[1].type"),
        ({"content": "x", "namespace": "../etc"}, "atoms[1].namespace"),
        ({"content": "x", "tags": ["t"] * 17}, "atoms[1].tags"),
        ({"content": "x", "tags": [""]}, "atoms[1].tags"),
        ({"content": "x", "actor": "a\nb"}, "atoms[1].actor"),
        ({"content": "x", "session": "s" * 201}, "atoms[1].session"),
        ({"content": "x", "occurred_at": "0001-01-01T00:00:00+14:00"}, "atoms[1].occurred_at"),
        ({"content": "x", "links": [{"type": "Bad", "target": "fact.a"}]}, "atoms[1].links[0].type"),
        ({"content": "x", "links": [{"type": "own", "target": "nope"}]}, "atoms[1].links[0].target"),
    ],
)
async def test_a_draft_against_the_rules_is_refused_with_its_place_and_a_fix(tenant: Tenant, draft, where):
    answer = await tenant.save("a good one", draft)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "atom_refused")
    assert problem["detail"].startswith(where + " ")
    assert problem["next_action"]
    assert await tenant.found("good") == []


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"content": 7},
        {"content": None},
        {"content": "x", "nmae": "fact.typo"},
        {"content": "x", "confidence": 2},
        {"content": "x", "occurred_at": "yesterday"},
        {"content": "x", "occurred_at": "2026-11-21T12:00:00"},
        {"content": "x", "source": "oracle"},
        {"content": "x", "if_version": -1},
        {"content": "x", "if_version": 10**30},
    ],
)
async def test_a_draft_of_the_wrong_form_is_refused_with_its_place(tenant: Tenant, draft):
    answer = await tenant.save(draft)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["errors"][0]["key"].startswith("atoms[0]")


@pytest.mark.parametrize(("count", "code"), [(0, "no_atoms"), (501, "too_many_atoms")])
async def test_a_save_has_between_one_and_five_hundred_atoms(tenant: Tenant, count, code):
    answer = await tenant.save(*[f"atom {number}" for number in range(count)])

    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_five_hundred_atoms_are_saved_together(tenant: Tenant):
    receipts = await tenant.saved(*[f"atom {number}" for number in range(500)])

    assert [receipt["index"] for receipt in receipts] == list(range(1, 501))


async def test_an_atom_larger_than_the_plans_is_refused(tenant: Tenant):
    fits, too_large = "é" * 2_048, "é" * 2_048 + "x"

    assert (await tenant.save(fits)).status_code == 200
    refused = await tenant.save(too_large)
    assert (refused.status_code, refused.json()["code"]) == (413, "atom_too_large")


async def test_the_limit_of_live_atoms_is_all_or_nothing(tenant: Tenant):
    await tenant.push(tenant.builder.next(limits=_limits(atoms=3)))
    await tenant.saved("one", "two")

    refused = await tenant.save("three", "four")
    last = await tenant.save("three")
    new_version = await tenant.saved({"name": (last.json()["atoms"][0]["name"]), "content": "three, corrected"})

    assert (refused.status_code, refused.json()["code"]) == (403, "atom_limit_reached")
    assert last.status_code == 200
    assert new_version[0]["outcome"] == "superseded"


async def test_forgetting_makes_room(tenant: Tenant):
    await tenant.push(tenant.builder.next(limits=_limits(atoms=1)))
    (receipt,) = await tenant.saved("one")
    assert (await tenant.save("two")).status_code == 403

    await tenant.call("DELETE", f"/v1/atoms/{receipt['name']}")

    assert (await tenant.save("two")).status_code == 200


async def test_full_storage_refuses_saves_and_goes_on_reading_and_forgetting(tenant: Tenant):
    await tenant.push(tenant.builder.next(limits=_limits(atom_bytes=200_000, storage_bytes=400_000)))
    (first,) = await tenant.saved("kept " * 20_000)

    answers = [await tenant.save(f"{number} " + "filler " * 20_000) for number in range(4)]

    assert [answer.status_code for answer in answers][-1] == 507
    assert answers[-1].json()["code"] == "storage_full"
    assert (await tenant.call("GET", f"/v1/atoms/{first['name']}")).status_code == 200
    assert (await tenant.call("DELETE", f"/v1/atoms/{first['name']}")).status_code == 200
    usage = (await tenant.call("GET", "/v1/usage")).json()["storage_bytes"]
    assert usage["percent"] <= 100


@pytest.mark.parametrize(
    "content",
    [
        "the key is mmk_" + "a" * 38,
        "use AKIAIOSFODNN7EXAMPLE please",
        "-----BEGIN RSA PRIVATE KEY-----\nabc",
        "token ghp_" + "aB3" * 12,
        "db at postgres://admin:hunter2secret@db/main",
        "password = Tr0ub4dor&3xyz",
        "value Zk9qP2xV7mLtR4wYbN8cJ1hS6dFgA3eUoTiXrKvB5nQz",
    ],
)
async def test_a_likely_secret_is_refused_unless_it_is_meant(tenant: Tenant, content):
    refused = await tenant.save(content)

    assert (refused.status_code, refused.json()["code"]) == (422, "secret_found")
    assert content not in refused.text
    assert (await tenant.save(content, allow_secrets=True)).status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        "The commit was 3b18e512dba79e4c8300dd08aeb37f8e728b8dad today",
        "id 123e4567-e89b-12d3-a456-426614174000 of the order",
        "see https://example.org/some/very/long/path/that/goes/on/and/on/for/ever.html",
        "The password policy asks for twelve characters",
        "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    ],
)
async def test_ordinary_text_is_no_secret(tenant: Tenant, content):
    assert (await tenant.save(content)).status_code == 200


async def test_many_writers_at_once_lose_nothing(tenant: Tenant):
    answers = await asyncio.gather(*(tenant.save(f"from writer {number}") for number in range(100)))

    indexes = sorted(answer.json()["atoms"][0]["index"] for answer in answers)
    assert indexes == list(range(1, 101))
    assert (await tenant.call("GET", "/v1/usage")).json()["atoms"]["used"] == 100


async def test_one_of_many_guarded_writers_wins(tenant: Tenant):
    drafts = [{"name": "state.lock", "content": f"held by {number}", "if_version": 0} for number in range(20)]

    answers = await asyncio.gather(*(tenant.save(draft) for draft in drafts))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19


def _limits(**changed: int):
    members = {name: getattr(ROOMY, name) for name in ROOMY.__struct_fields__}
    return type(ROOMY)(**{**members, **changed})
