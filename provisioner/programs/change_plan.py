"""Change a substrate's size in place: no restart, the same address, keys and data.

What grows, grows before the server is told that it may use it; what shrinks, shrinks after the server was told that
it may not. So the first step gives the larger of old and new, and the last one the new. A server that is asleep has
only its files changed, and wakes with its new size.
"""

from datetime import timedelta
from typing import Final

import msgspec

from provisioner.engine.outcome import Done, GoTo, Outcome, TryAgain, Wait
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.places.errors import PlaceGone
from provisioner.programs.push_policy import push_policy
from provisioner.programs.tools import Tools, substrate_of
from shared.contracts.operations import Kind
from shared.contracts.tenant_spec import TenantSpec
from shared.registry import policies

PAUSE: Final = timedelta(seconds=1)

GROWING: Final = ("memory_mb", "cpus", "storage_bytes")


async def make_room(turn: Turn, tools: Tools) -> Outcome:
    """Whatever is larger than before; nothing is smaller yet."""
    was = turn.operation.facts["was"]
    try:
        async with tools.places.locked(turn.operation.substrate):
            spec = (await substrate_of(turn, tools)).spec
            await _give(_larger(spec, was), tools)
    except PlaceGone:
        raise TryAgain("its folders are not there") from None
    return GoTo("carry_policy")


async def carry_policy(turn: Turn, tools: Tools) -> Outcome:
    """The new limits, until the server enforces them."""
    substrate = (await substrate_of(turn, tools)).id
    await push_policy(substrate, tools)
    async with tools.database.transaction() as tx:
        stored = await policies.find(tx, substrate)
    if stored is None or stored.acknowledged < stored.order:
        return Wait(PAUSE, reason="the memory server has not confirmed its new limits yet")
    return GoTo("apply_limits")


async def apply_limits(turn: Turn, tools: Tools) -> Outcome:
    """Exactly the new size, on the running server and in the file from which it wakes."""
    async with tools.places.locked(turn.operation.substrate):
        await _give((await substrate_of(turn, tools)).spec, tools)
    return Done()


async def _give(spec: TenantSpec, tools: Tools) -> None:
    """Under the lock: the file first, so that a server that starts meanwhile has this size already."""
    await tools.places.write_spec(spec)
    await tools.runtime.apply_limits(tools.launch(spec))


def _larger(spec: TenantSpec, was: dict[str, float]) -> TenantSpec:
    larger = {name: max(getattr(spec, name), was[name]) for name in GROWING}
    return msgspec.structs.replace(spec, **larger)


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.CHANGE_PLAN,
    steps={"make_room": make_room, "carry_policy": carry_policy, "apply_limits": apply_limits},
    on_give_up=leave_as_it_is,
)
