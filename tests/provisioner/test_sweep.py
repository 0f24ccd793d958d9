"""Due work is found once a second, each thing once at a time, whatever goes away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from provisioner.engine.sweep import Crew, Lookout, Sweep
from shared.registry import operations
from shared.registry.database import Database
from tests.support.breaking import Breaker, CallBroke
from tests.support.clock import ManualClock
from tests.support.hosts import Host


def counting(seen: list[str]) -> Callable[[str], Awaitable[None]]:
    async def work(key: str) -> None:
        seen.append(key)

    return work


def sweep_of(host: Host, crew: Crew[Any], database: Database | None = None) -> Sweep:
    lookouts = [Lookout(operations.list_due, crew)]
    return Sweep(database or host.database, host.clock, timedelta(seconds=1), lookouts)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_operation_whose_message_was_lost_is_found(host: Host) -> None:
    customer, seen = await host.subscribe(), list[str]()

    await sweep_of(host, Crew(counting(seen), most=4)).look()
    await settle()

    assert seen == [customer.operation]


@pytest.mark.parametrize("error", [ConnectionResetError, TimeoutError, CallBroke])
async def test_the_sweep_outlives_a_registry_that_goes_away(host: Host, error: type[Exception]) -> None:
    customer, seen = await host.subscribe(), list[str]()
    breaker = Breaker(number=0, error=error)
    sweep = sweep_of(host, Crew(counting(seen), most=4), breaker.wrap(host.database, "database"))

    await sweep.look()
    await sweep.look()
    await settle()

    assert seen == [customer.operation]


async def test_it_looks_again_and_again_until_it_is_stopped(host: Host) -> None:
    found = asyncio.Queue[str]()
    running = asyncio.create_task(sweep_of(host, Crew(found.put, most=4)).run())

    customer = await host.subscribe()
    first, again = await asyncio.wait_for(found.get(), 5), await asyncio.wait_for(found.get(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (first, again) == (customer.operation, customer.operation)


async def test_what_is_under_way_is_not_begun_again_by_the_sweep() -> None:
    may_end, seen = asyncio.Event(), list[str]()

    async def work(key: str) -> None:
        seen.append(key)
        await may_end.wait()

    crew = Crew(work, most=4)
    task = crew.start("a")
    await settle()

    assert crew.start("a") is task
    may_end.set()
    await task
    assert seen == ["a"]


async def test_a_nudge_during_the_work_has_it_done_once_more() -> None:
    may_end, seen = asyncio.Event(), list[str]()

    async def work(key: str) -> None:
        seen.append(key)
        await may_end.wait()

    crew = Crew(work, most=4)
    crew.start("a")
    await settle()

    nudges = [asyncio.create_task(crew.do("a")) for _ in range(5)]
    await settle()
    may_end.set()
    await asyncio.gather(*nudges)

    assert seen == ["a", "a"], "five nudges in the middle are one more round"


async def test_no_more_than_the_allowed_number_runs_together() -> None:
    together, most_seen = 0, 0

    async def work(_key: int) -> None:
        nonlocal together, most_seen
        together += 1
        most_seen = max(most_seen, together)
        await settle()
        together -= 1

    crew = Crew(work, most=3)
    await asyncio.gather(*(crew.start(number) for number in range(20)))

    assert most_seen == 3


async def test_one_keys_trouble_does_not_end_the_crew() -> None:
    seen = list[str]()

    async def work(key: str) -> None:
        if key == "bad":
            raise ValueError
        seen.append(key)

    crew = Crew(work, most=4)
    await crew.do("bad")
    await crew.do("good")

    assert seen == ["good"]


async def test_stopping_cuts_what_is_under_way() -> None:
    ended = list[str]()

    async def work(key: str) -> None:
        try:
            await ManualClock().sleep(timedelta(days=1))
        finally:
            ended.append(key)

    crew = Crew(work, most=4)
    crew.start("a")
    await settle()

    await crew.stop()

    assert ended == ["a"]
