"""An operation under a lease: who may write, when it pauses, when it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from provisioner.engine.leases import TERM, Leases
from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome, TryAgain, Wait
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.engine.runner import Runner
from shared.contracts.operations import COURSES, Kind
from shared.kernel.clock import iso
from shared.lifecycle.operation import Status
from shared.registry import operations
from tests.support.hosts import Host
from tests.support.registry import Subscribed

Act = Callable[[Turn], Awaitable[Outcome]]

STEPS = [name for name, _ in COURSES[Kind.START_SUBSTRATE].steps]


class NoUse(GiveUp):
    code = "no_use"
    public = "It cannot be done."
    next_action = "Ask somebody."


@dataclass(slots=True)
class Script:
    """A program whose first step does what a test says; the others pass."""

    host: Host
    acts: list[Act] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)

    def runner(self, owner: str = "worker-1") -> "Runner[Script]":
        async def first(turn: Turn, script: Script) -> Outcome:
            return await script.acts.pop(0)(turn)

        async def on_give_up(_tx, _operation, failure, script: Script) -> None:
            script.given_up.append(failure.code)

        steps = {STEPS[0]: first} | {name: _passing(name) for name in STEPS[1:]}
        program = Program(kind=Kind.START_SUBSTRATE, steps=steps, on_give_up=on_give_up)
        return Runner(
            database=self.host.database,
            leases=Leases(self.host.database, self.host.clock, owner),
            programs={Kind.START_SUBSTRATE: program},
            tools=self,
            clock=self.host.clock,
        )


def _passing(name: str) -> Callable[[Turn, Script], Awaitable[Outcome]]:
    async def step(_turn: Turn, _script: Script) -> Outcome:
        at = STEPS.index(name)
        return GoTo(STEPS[at + 1]) if at + 1 < len(STEPS) else Done()

    return step


@pytest.fixture
def script(host: Host) -> Script:
    return Script(host)


async def go_on(_turn: Turn) -> Outcome:
    return GoTo(STEPS[1])


async def test_an_operation_that_needs_no_pause_ends_in_one_turn(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [go_on]

    await script.runner().advance(customer.operation)

    assert (await host.operation(customer.operation)).status is Status.SUCCEEDED


async def test_a_short_wait_keeps_the_lease_and_a_long_one_gives_it_back(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [_waiting(timedelta(milliseconds=50)), _waiting(timedelta(seconds=30))]

    await script.runner().advance(customer.operation)

    found = await host.operation(customer.operation)
    assert found.status is Status.RUNNING
    assert found.due_at == host.clock.now() + timedelta(seconds=30)
    assert found.steps[-1].waiting_for == "the sun"
    async with host.database.transaction() as tx:
        assert await operations.list_due(tx, host.clock.now(), 10) == []
        assert await operations.list_due(tx, found.due_at, 10) == [customer.operation]


async def test_waiting_is_not_counted_as_a_failure(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [_waiting(timedelta(milliseconds=50)), _waiting(timedelta(seconds=30))]

    await script.runner().advance(customer.operation)

    assert (await host.operation(customer.operation)).attempts == 0


@pytest.mark.parametrize("trouble", [TryAgain("it is raining"), ValueError("a bug"), OSError("disk")])
async def test_trouble_is_tried_again_after_a_growing_pause(host: Host, script: Script, trouble: Exception) -> None:
    customer = await host.subscribe()
    script.acts = [_raising(trouble)] * 4

    await script.runner().advance(customer.operation)

    found = await host.operation(customer.operation)
    assert found.status is Status.RUNNING
    assert found.attempts == 4
    assert found.due_at - host.clock.now() == timedelta(seconds=2)


async def test_what_went_wrong_inside_is_not_shown_to_the_owner(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [_raising(ValueError("secret internals"))] * 4

    await script.runner().advance(customer.operation)

    assert "secret" not in str((await host.operation(customer.operation)).steps)


async def test_giving_up_ends_it_with_a_name_and_a_next_step(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [_raising(NoUse())]

    await script.runner().advance(customer.operation)

    found = await host.operation(customer.operation)
    assert found.status is Status.FAILED
    assert found.error is not None
    assert (found.error.code, found.error.detail, found.error.next_action) == (
        "no_use",
        "It cannot be done.",
        "Ask somebody.",
    )
    assert script.given_up == ["no_use"]


async def test_a_passed_deadline_is_a_failure_that_says_what_was_waited_for(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    script.acts = [_waiting(timedelta(hours=1))]
    await script.runner().advance(customer.operation)
    found = await host.operation(customer.operation)
    assert found.due_at == found.deadline_at, "no pause is longer than the deadline"
    host.clock.advance(found.deadline_at - host.clock.now())

    await script.runner().advance(customer.operation)

    found = await host.operation(customer.operation)
    assert found.status is Status.FAILED
    assert found.error is not None
    assert found.error.code == "deadline_passed"
    assert found.error.detail == f"“Making its folders” was not finished by {iso(found.deadline_at)}: the sun."
    assert found.error.next_action
    assert script.given_up == ["deadline_passed"]


async def test_an_operation_that_somebody_holds_is_left_alone(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    began, may_end = asyncio.Event(), asyncio.Event()
    script.acts = [_blocking(began, may_end)]
    first = asyncio.create_task(script.runner().advance(customer.operation))
    await began.wait()

    await script.runner("worker-2").advance(customer.operation)

    assert script.acts == []
    may_end.set()
    await first
    assert (await host.operation(customer.operation)).status is Status.SUCCEEDED


async def test_a_canceled_operation_cuts_the_step_that_runs(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    began, never = asyncio.Event(), asyncio.Event()
    script.acts = [_blocking(began, never)]
    running = asyncio.create_task(script.runner().advance(customer.operation))
    await began.wait()
    async with host.database.transaction() as tx:
        await operations.update_canceled(tx, customer.operation, host.clock.now())

    host.clock.advance(timedelta(seconds=6))
    await asyncio.wait_for(running, 10)

    assert (await host.operation(customer.operation)).status is Status.CANCELED


async def test_a_worker_whose_lease_was_taken_writes_nothing_more(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    began, may_end = asyncio.Event(), asyncio.Event()
    script.acts = [_blocking(began, may_end), _waiting(timedelta(hours=1))]
    slow = asyncio.create_task(script.runner().advance(customer.operation))
    await began.wait()
    await _expire(host, customer)
    await script.runner("worker-2").advance(customer.operation)
    before = await host.operation(customer.operation)

    may_end.set()
    await slow

    assert await host.operation(customer.operation) == before


async def test_a_stopped_worker_gives_the_lease_back(host: Host, script: Script) -> None:
    customer = await host.subscribe()
    began, never = asyncio.Event(), asyncio.Event()
    script.acts = [_blocking(began, never), go_on]
    running = asyncio.create_task(script.runner().advance(customer.operation))
    await began.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await script.runner("worker-2").advance(customer.operation)

    assert (await host.operation(customer.operation)).status is Status.SUCCEEDED


async def test_a_program_that_keeps_other_steps_than_it_promises_is_refused() -> None:
    with pytest.raises(ValueError, match="promises the steps"):
        Program(kind=Kind.START_SUBSTRATE, steps={"something_else": _passing("x")}, on_give_up=leave_as_it_is)


async def _expire(host: Host, customer: Subscribed) -> None:
    """The lease runs out in the registry, unseen by the worker that holds it."""
    async with host.database.transaction() as tx:
        await tx.run(
            "UPDATE operation SET lease_until = :past WHERE id = :id",
            {"id": customer.operation, "past": host.clock.now() - TERM},
        )


def _waiting(pause: timedelta) -> Act:
    async def act(_turn: Turn) -> Outcome:
        return Wait(pause, reason="the sun")

    return act


def _raising(trouble: Exception) -> Act:
    async def act(_turn: Turn) -> Outcome:
        raise trouble

    return act


def _blocking(began: asyncio.Event, may_end: asyncio.Event) -> Act:
    async def act(_turn: Turn) -> Outcome:
        began.set()
        await may_end.wait()
        return GoTo(STEPS[1])

    return act
