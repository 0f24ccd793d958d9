"""Protections of the engine, each taken away: if no seed notices, the simulation is blind there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import pytest

from provisioner.engine import moves, runner, sweep
from provisioner.engine.program import Turn
from provisioner.programs import carrying, start_substrate, watch
from provisioner.programs.tools import Tools
from shared.kernel.ids import SubstrateId
from shared.registry import operations, substrates
from shared.registry.database import Tx
from shared.registry.operations import Lease
from shared.registry.policies import StoredPolicy
from shared.registry.substrates import Substrate
from tests.simulation import ground

Patch = pytest.MonkeyPatch
Mutation = Callable[[Patch], None]


def without_the_leases_guard(patch: Patch) -> None:
    """A worker writes whether or not another has the lease by now."""

    async def write(tx: Tx, sql: str, lease: Lease, values: dict[str, Any]) -> None:
        unguarded = sql.replace("AND lease_number = :number", "").replace("AND status = 'running'", "")
        await tx.run(unguarded, {"id": lease.operation, "number": lease.number, **values})

    patch.setattr(operations, "_guarded", write)


def without_looking_who_has_the_lease(patch: Patch) -> None:
    """Whoever asks gets the lease."""
    real = Tx.row

    async def row(self: Tx, sql: str, values: Any = None) -> Any:
        return await real(self, sql.replace("AND (lease_until IS NULL OR lease_until <= :now)", ""), values)

    patch.setattr(Tx, "row", row)


def without_the_substrates_lock(patch: Patch) -> None:
    """Two may change one substrate at a time."""

    @asynccontextmanager
    async def locked(self: ground.Places, substrate: SubstrateId) -> AsyncIterator[None]:
        self._place(substrate)
        yield

    patch.setattr(ground.Places, "locked", locked)


def without_looking_again_under_the_lock(patch: Patch) -> None:
    """A step acts on what it knew before it had the lock."""

    async def substrate_of(turn: Turn, tools: Tools) -> Substrate:
        async with tools.database.transaction() as tx:
            return await substrates.get(tx, turn.operation.substrate)

    async def note(*_: Any) -> None:
        """Seeing the lease is a part of noting; it goes with it."""

    patch.setattr(start_substrate, "substrate_of", substrate_of)
    patch.setattr(start_substrate, "note_observed", note)


def without_guarding_what_a_step_records(patch: Patch) -> None:
    """A step's last words are written though its operation was taken away."""

    async def unguarded(_tx: Tx, _lease: Lease) -> None:
        """No look at all."""

    patch.setattr(operations, "get_guarded", unguarded)


def without_clearing_away(patch: Patch) -> None:
    """What the engine finishes after a deletion stays."""

    async def leave(_substrate: SubstrateId, _tools: Tools) -> None:
        """Nothing is removed."""

    patch.setattr(watch, "clear_away", leave)


def without_deadlines(patch: Patch) -> None:
    """What waits, waits for ever, and nobody is told."""

    async def next_move(self: Any) -> Any:
        return moves.Pause(self._clock.now() + timedelta(seconds=30), held=False, attempts=0, reason="nothing")

    patch.setattr(runner._Run, "_next_move", next_move)


def without_a_sweep(patch: Patch) -> None:
    """A lost message is lost work."""

    async def look(_self: sweep.Sweep) -> None:
        """Nobody looks."""

    patch.setattr(sweep.Sweep, "look", look)


def with_acknowledgements_in_any_order(patch: Patch) -> None:
    """A slow push tells last, of a policy that is no longer in force."""
    real = Tx.run

    async def run(self: Tx, sql: str, values: Any = None) -> int:
        guard = "AND (acknowledged_epoch, acknowledged_generation) <= (:epoch, :generation)"
        return await real(self, sql.replace(guard, ""), values)

    patch.setattr(Tx, "run", run)


def with_a_file_taken_for_an_answer(patch: Patch) -> None:
    """A policy counts as enforced once it is written, though a server that runs has not taken it."""

    async def renew(spec: Any, stored: StoredPolicy, tools: Tools) -> bool:
        async with tools.places.locked(spec.substrate):
            await tools.places.write_policy(spec, stored.jws, tools.keys.trust())
        return True

    patch.setattr(carrying, "renew", renew)


def with_a_deletion_that_removes_nothing(patch: Patch) -> None:
    """It calls a substrate deleted while everything is still there."""

    async def nothing(_self: ground.Places, _spec: Any) -> bool:
        return False

    patch.setattr(ground.Places, "remove", nothing)
    patch.setattr(ground.Places, "is_there", nothing)


MUTATIONS: Final[tuple[Mutation, ...]] = (
    without_the_leases_guard,
    without_looking_who_has_the_lease,
    without_the_substrates_lock,
    without_looking_again_under_the_lock,
    without_guarding_what_a_step_records,
    without_clearing_away,
    without_deadlines,
    without_a_sweep,
    with_acknowledgements_in_any_order,
    with_a_file_taken_for_an_answer,
    with_a_deletion_that_removes_nothing,
)
