"""A host declares what it can hold, and nobody is taken in beyond that."""

import asyncio
from typing import Any

import pytest

from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Event
from shared.registry import capacity, operations, substrates
from shared.registry.capacity import Capacity


async def declare(plane: Any, declared: Capacity) -> None:
    async with plane.tools.database.transaction() as tx:
        await capacity.update_declared(tx, declared, plane.tools.clock.now())


async def test_a_full_host_says_so_before_anything_is_created(plane, customer):
    await declare(plane, Capacity(shared_memory_mb=256))
    await customer.subscribe()

    answer = await customer.post("/subscriptions", {"plan": "starter", "trial": True})

    assert answer.status_code == 503
    problem = answer.json()
    assert (problem["code"], "memory for shared tenants" in problem["detail"]) == ("capacity_exhausted", True)
    assert problem["next_action"]
    await declare(plane, Capacity(shared_memory_mb=512))
    again = await customer.post("/subscriptions", {"plan": "starter", "trial": True})
    assert again.status_code == 202, "the trial was not used up by the refusal"


async def test_no_crowd_gets_in_beyond_what_was_declared(plane, customer):
    await declare(plane, Capacity(shared_memory_mb=256, overcommit=3))

    answers = await asyncio.gather(
        *(customer.post("/subscriptions", {"plan": "starter", "trial": False}) for _ in range(8))
    )

    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [503] * 5


@pytest.mark.parametrize(
    "declared",
    [
        Capacity(dedicated_memory_mb=2047),
        Capacity(dedicated_cpus=1.5),
        Capacity(awake_tenants=0),
        Capacity(disk_bytes=1024),
    ],
)
async def test_dedicated_tenants_are_never_overcommitted(plane, customer, declared):
    await declare(plane, declared)

    answer = await customer.post("/subscriptions", {"plan": "team", "trial": False})

    assert answer.json()["code"] == "capacity_exhausted"


async def test_a_host_full_of_one_kind_has_room_for_the_other(plane, customer):
    await declare(plane, Capacity(shared_memory_mb=0, dedicated_memory_mb=2048))

    answer = await customer.post("/subscriptions", {"plan": "team", "trial": False})

    assert answer.status_code == 202


async def test_a_destroyed_substrate_gives_its_room_back(plane, customer):
    await declare(plane, Capacity(shared_memory_mb=256))
    first = await customer.subscribe()
    substrate = SubstrateId(first["substrate"]["id"])
    async with plane.tools.database.transaction() as tx:
        now = plane.tools.clock.now()
        await operations.update_canceled(tx, first["operation"]["id"], now)
        await substrates.update_status(tx, substrate, Event.DELETION_ASKED, now)
        await substrates.update_status(tx, substrate, Event.TORN_DOWN, now)

    answer = await customer.post("/subscriptions", {"plan": "starter", "trial": False})

    assert answer.status_code == 202


async def test_a_changed_plan_is_counted_in_place_of_the_old_one(plane, customer):
    found = await customer.subscribe()
    substrate = SubstrateId(found["substrate"]["id"])
    await declare(plane, Capacity(shared_memory_mb=384))
    async with plane.tools.database.transaction() as tx:
        terms = (await substrates.get(tx, substrate)).terms

        await capacity.reserve(tx, terms, replacing=substrate)
        with pytest.raises(capacity.CapacityExhausted):
            await capacity.reserve(tx, terms)
