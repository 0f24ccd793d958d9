"""The life of a substrate on a host, and every way a worker can die in it."""

from contextlib import suppress
from datetime import timedelta

import pytest

from provisioner.engine.leases import TERM
from shared.contracts.operations import COURSES, Kind
from shared.lifecycle.operation import Status as Operated
from shared.lifecycle.substrate import Status
from shared.registry import api_keys, policies
from tests.support.breaking import Breaker, CallBroke, WorkerDied
from tests.support.hosts import Host
from tests.support.registry import Subscribed

START_CALLS = 25
DESTROY_CALLS = 20
"""How many calls the programs make; a test holds the numbers true."""


async def test_a_substrate_that_was_subscribed_runs_after_one_turn(host: Host) -> None:
    customer = await host.subscribe()

    await host.advance(customer.operation)

    operation = await host.operation(customer.operation)
    assert operation.status is Operated.SUCCEEDED, operation
    assert [step.name for step in operation.steps] == [name for name, _ in COURSES[Kind.START_SUBSTRATE].steps]
    assert all(step.finished_at for step in operation.steps)
    substrate = await host.substrate(customer.substrate)
    assert substrate.status is Status.RUNNING
    assert substrate.ready_at is not None
    assert host.runtime.starts == [customer.substrate]
    assert host.runtime.servers[customer.substrate].limited


async def test_running_means_that_its_policy_is_acknowledged(host: Host) -> None:
    customer = await host.started()

    async with host.database.transaction() as tx:
        stored = await policies.get(tx, customer.substrate)
    assert stored.acknowledged == stored.order


async def test_a_destroyed_substrate_leaves_nothing_behind(host: Host) -> None:
    customer = await host.started()
    operation = await host.ask_to_destroy(customer)

    await host.advance(operation)

    await _is_gone(host, customer)
    assert (await host.operation(operation)).status is Operated.SUCCEEDED


@pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])
@pytest.mark.parametrize("call", range(START_CALLS))
async def test_a_worker_killed_at_any_call_of_a_start_is_finished_by_another(
    host: Host, call: int, *, acts_first: bool
) -> None:
    customer = await host.subscribe()

    await _killed_at(host, customer, call, acts_first=acts_first)
    await _until_ended(host, customer)

    assert (await host.substrate(customer.substrate)).status is Status.RUNNING
    assert host.runtime.starts == [customer.substrate], "exactly one server was started"
    assert host.runtime.servers[customer.substrate].limited


@pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])
@pytest.mark.parametrize("call", range(START_CALLS))
async def test_a_start_that_stopped_anywhere_can_be_destroyed(host: Host, call: int, *, acts_first: bool) -> None:
    customer = await host.subscribe()
    await _killed_at(host, customer, call, acts_first=acts_first)

    operation = await host.ask_to_destroy(customer)
    await host.advance(operation)

    await _is_gone(host, customer)


@pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])
@pytest.mark.parametrize("call", range(DESTROY_CALLS))
async def test_a_worker_killed_at_any_call_of_a_destruction_is_finished_by_another(
    host: Host, call: int, *, acts_first: bool
) -> None:
    customer = await host.started()
    operation = await host.ask_to_destroy(customer)
    breaker = Breaker(number=call, acts_first=acts_first)

    await _die(host, operation, breaker)
    host.clock.advance(TERM + timedelta(seconds=1))
    await host.advance(operation, owner="worker-2")

    await _is_gone(host, customer)
    assert (await host.operation(operation)).status is Operated.SUCCEEDED


@pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])
@pytest.mark.parametrize("call", range(START_CALLS))
async def test_a_call_that_fails_once_delays_a_start_and_no_more(host: Host, call: int, *, acts_first: bool) -> None:
    customer = await host.subscribe()
    breaker = Breaker(number=call, acts_first=acts_first, error=CallBroke)

    with suppress(CallBroke):  # one that breaks before there is a lease is logged by whoever rang
        await host.advance(customer.operation, tools=host.broken_by(breaker))
    await _until_ended(host, customer)

    assert (await host.substrate(customer.substrate)).status is Status.RUNNING
    assert host.runtime.starts == [customer.substrate]


async def test_the_generated_crashes_reach_every_call_of_both_programs(host: Host) -> None:
    counting = Breaker()
    customer = await host.subscribe()
    await host.advance(customer.operation, tools=host.broken_by(counting))
    assert len(counting.calls) == START_CALLS, counting.calls

    counting = Breaker()
    await host.advance(await host.ask_to_destroy(customer), tools=host.broken_by(counting))
    assert len(counting.calls) == DESTROY_CALLS, counting.calls


async def _killed_at(host: Host, customer: Subscribed, call: int, *, acts_first: bool) -> None:
    await _die(host, customer.operation, Breaker(number=call, acts_first=acts_first))
    host.clock.advance(TERM + timedelta(seconds=1))


async def _die(host: Host, operation, breaker: Breaker) -> None:
    try:
        await host.advance(operation, tools=host.broken_by(breaker))
    except WorkerDied:
        assert breaker.broken


async def _until_ended(host: Host, customer: Subscribed) -> None:
    for _ in range(5):
        if not (await host.operation(customer.operation)).active:
            break
        host.clock.advance(TERM + timedelta(seconds=1))
        await host.advance(customer.operation, owner="worker-2")
    assert (await host.operation(customer.operation)).status is Operated.SUCCEEDED


async def _is_gone(host: Host, customer: Subscribed) -> None:
    assert host.left() == []
    assert (await host.substrate(customer.substrate)).status is Status.DELETED
    async with host.database.transaction() as tx:
        assert await api_keys.list_of(tx, customer.substrate) == []
        assert await policies.find(tx, customer.substrate) is None
