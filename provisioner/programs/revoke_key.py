"""Follow a revocation until the tenant's server enforces it. The revocation itself was committed before this began."""

from typing import Final

from provisioner.engine.outcome import Done, Outcome, Wait
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.programs import carrying
from provisioner.programs.push_policy import push_policy
from provisioner.programs.tools import Tools
from shared.contracts.operations import Kind
from shared.registry import operations, policies


async def carry_policy(turn: Turn, tools: Tools) -> Outcome:
    """Push, and see whether the policy without the key is in force. A push by anybody else ends this too."""
    await push_policy(turn.operation.substrate, tools)
    facts = turn.operation.facts
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        stored = await policies.find(tx, turn.operation.substrate)
    if stored is None or stored.acknowledged >= (facts["epoch"], facts["generation"]):
        return Done()
    pause = carrying.retry_after(tools.clock.now() - turn.operation.created_at)
    return Wait(pause, reason="the memory server has not confirmed it yet")


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.REVOKE_KEY, steps={"carry_policy": carry_policy}, on_give_up=leave_as_it_is
)
