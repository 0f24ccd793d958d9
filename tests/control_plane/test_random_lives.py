"""Random lives: whatever happens in whatever order, the tables hold and nothing that is gone comes back."""

import random
from datetime import timedelta

import pytest

from control_plane.actions.clockwork import carry_out_due
from control_plane.actions.restrict_substrate import (
    CLOCKS,
    lift_restriction,
    restrict_substrate,
    resume_substrate,
    suspend_substrate,
)
from control_plane.actions.settle_account import mark_paid, mark_past_due
from provisioner.host_keys import HostKeys
from shared.contracts.signed_policy import verify
from shared.kernel.errors import AppError
from shared.lifecycle.subscription import State
from shared.lifecycle.substrate import Reason, Status, mode_of, settling
from shared.registry import operations, policies, restrictions, subscriptions, substrates
from shared.registry.audit import Actor, ActorKind

OPERATOR = Actor(ActorKind.STAFF, "operator")
EVENTS = 40
GOING = {Status.DELETING, Status.DELETED}
FREE = [reason for reason in Reason if reason not in CLOCKS]


class World:
    """A substrate, and everything that can happen to it."""

    def __init__(self, plane, customer, subscribed, chance) -> None:
        self.plane, self.customer, self.chance = plane, customer, chance
        self.substrate, self.subscription = subscribed["substrate"]["id"], subscribed["subscription"]["id"]

    async def happen(self) -> str:
        """One thing, whichever it is; refusing it is always right, stumbling never."""
        name = self.chance.choice(
            ["pass", "pass", "pass", "paid", "past_due", "cancel", "resume", "delete", "undelete", "erase"]
            + ["restrict", "lift", "suspend", "unsuspend"] * 2
        )
        if name == "erase" and self.chance.random() < 0.8:
            return "nothing"
        try:
            await getattr(self, f"_{name}")()
        except AppError as refused:
            if refused.status not in {404, 409}:
                raise
        return name

    async def _pass(self):
        self.plane.clock.ahead += timedelta(days=self.chance.choice([1, 4, 8, 31]))
        await carry_out_due(self.plane.tools)

    async def _paid(self):
        await mark_paid(self.plane.tools, OPERATOR, self.subscription)

    async def _past_due(self):
        await mark_past_due(self.plane.tools, OPERATOR, self.subscription)

    async def _cancel(self):
        await self._post(f"/subscriptions/{self.subscription}/cancel")

    async def _resume(self):
        await self._post(f"/subscriptions/{self.subscription}/resume")

    async def _undelete(self):
        await self._post(f"/substrates/{self.substrate}/undelete")

    async def _delete(self):
        assert (await self.customer.delete(f"/substrates/{self.substrate}")).status_code in {202, 409}

    async def _erase(self):
        assert (await self.customer.erase(self.substrate)).status_code in {202, 409}

    async def _restrict(self):
        await restrict_substrate(self.plane.tools, OPERATOR, self.substrate, self.chance.choice(FREE))

    async def _lift(self):
        await lift_restriction(self.plane.tools, OPERATOR, self.substrate, self.chance.choice(FREE))

    async def _suspend(self):
        await suspend_substrate(self.plane.tools, OPERATOR, self.substrate)

    async def _unsuspend(self):
        await resume_substrate(self.plane.tools, OPERATOR, self.substrate)

    async def _post(self, path):
        assert (await self.customer.post(path)).status_code in {200, 409}

    async def check(self, was: Status) -> Status:
        """Row, restrictions, signed policy and plans for the future tell one story."""
        async with self.plane.tools.database.transaction() as tx:
            row = await substrates.get(tx, self.substrate)
            bought = await subscriptions.get(tx, self.subscription)
            held = await restrictions.list_of(tx, self.substrate)
            stored = await policies.get(tx, self.substrate)
            waiting = await operations.find_held(tx, self.substrate)
        policy = verify(stored.jws, HostKeys(self.plane.state_dir / "secrets").trust())
        assert settling(row.status, restricted=bool(held)) is None
        assert policy.mode is mode_of(row.status, restricted=bool(held))
        if row.status is Status.READ_ONLY:
            assert row.status_reason == policy.mode_reason == held[0].reason.value
        assert was not in GOING or row.status in GOING
        if row.status in GOING:
            assert bought.state in {State.CANCELED, State.ENDED}
            assert waiting is bought.due_at is None
        else:
            assert bought.due_at is not None, "the clock has lost it"
            assert (waiting is not None) is (Reason.DELETION in {one.reason for one in held})
        return row.status


@pytest.mark.parametrize("seed", range(8))
async def test_nothing_that_happens_leaves_the_tables_or_brings_back_what_is_gone(plane, customer, seed):
    plane.clock.stop()
    chance = random.Random(seed)  # noqa: S311 - not for secrets: the same seed is the same life
    subscribed = await customer.subscribe(trial=chance.random() < 0.5)
    await plane.worker.start(subscribed)
    async with plane.tools.database.transaction() as tx:
        await tx.run("UPDATE account_token SET expires_at = expires_at + interval '10 years'")
    world, status = World(plane, customer, subscribed, chance), Status.RUNNING

    for _ in range(EVENTS):
        await world.happen()
        status = await world.check(status)
