"""Two workers at once, and a deletion in the middle of a start."""

import asyncio
import dataclasses
from typing import Any

import pytest

from provisioner.programs.tools import Tools
from provisioner.programs.watch import watch
from provisioner.runtimes.runtime import Launch
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import Status as Operated
from shared.lifecycle.substrate import Status
from tests.support.hosts import Host

UNLOCKED = ["make_lockable", "is_open", "whoami"]
"""Calls of a start that touch the host without its lock."""

LOCKED = ["make", "write_policy", "write_spec", "ensure_running"]
"""Calls that change the host, under the lock."""

WHEN = pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])


class Gate:
    """Holds a worker at a call until the test lets it go."""

    def __init__(self, call: str, *, after: bool) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._call, self._after = call, after

    def guard(self, tools: Tools) -> Tools:
        """The tools of the worker that is held."""
        held = {name: _Held(getattr(tools, name), self) for name in ("places", "runtime", "gateway")}
        return dataclasses.replace(tools, **held)

    async def come(self, call: str, *, after: bool) -> None:
        """Stop here if this is the call, and the moment."""
        if (call, after) == (self._call, self._after):
            self.reached.set()
            await self.opened.wait()


class _Held:
    def __init__(self, tool: Any, gate: Gate) -> None:
        self._tool, self._gate = tool, gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._tool, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def held(*args: Any, **kwargs: Any) -> Any:
            await self._gate.come(name, after=False)
            answer = await found(*args, **kwargs)
            await self._gate.come(name, after=True)
            return answer

        return held


@WHEN
@pytest.mark.parametrize("call", [*LOCKED, *UNLOCKED])
async def test_a_deletion_during_any_step_of_a_start_leaves_nothing_behind(
    host: Host, call: str, *, after: bool
) -> None:
    customer = await host.subscribe()
    gate = Gate(call, after=after)
    starting = asyncio.create_task(host.advance(customer.operation, tools=gate.guard(host.tools)))
    await asyncio.wait_for(gate.reached.wait(), 10)

    operation = await host.ask_to_destroy(customer)
    destroying = asyncio.create_task(_until_ended(host, operation))
    gate.opened.set()
    await asyncio.gather(starting, destroying)

    assert host.left() == []
    assert (await host.substrate(customer.substrate)).status is Status.DELETED
    assert (await host.operation(customer.operation)).status is Operated.CANCELED


@WHEN
@pytest.mark.parametrize("call", UNLOCKED)
async def test_a_step_that_wakes_up_after_the_deletion_has_ended_leaves_nothing_behind(
    host: Host, call: str, *, after: bool
) -> None:
    customer = await host.subscribe()
    gate = Gate(call, after=after)
    starting = asyncio.create_task(host.advance(customer.operation, tools=gate.guard(host.tools)))
    await asyncio.wait_for(gate.reached.wait(), 10)
    await _until_ended(host, await host.ask_to_destroy(customer))

    gate.opened.set()
    await starting

    assert host.left() == []


async def test_what_an_engine_finishes_after_its_caller_has_died_is_swept_away(host: Host) -> None:
    customer = await host.started()
    spec = (await host.substrate(customer.substrate)).spec
    await _until_ended(host, await host.ask_to_destroy(customer))
    await host.tools.places.make_lockable(spec)
    await host.runtime.ensure_running(Launch(spec, host.tools.places.folders_of(spec), spec.uid))

    await watch(host.tools)

    assert host.left() == []


async def test_two_workers_at_one_operation_start_one_server(host: Host) -> None:
    customer = await host.subscribe()

    await asyncio.gather(*(host.advance(customer.operation, owner=f"worker-{number}") for number in range(4)))

    assert host.runtime.starts == [customer.substrate]
    assert (await host.operation(customer.operation)).status is Operated.SUCCEEDED


async def _until_ended(host: Host, operation: OperationId) -> None:
    for _ in range(20):
        await host.advance(operation, owner="worker-2")
        found = await host.operation(operation)
        if not found.active:
            assert found.status is Operated.SUCCEEDED, found.error
            return
        host.clock.advance(found.due_at - host.clock.now())
    raise AssertionError("the destruction did not end")
