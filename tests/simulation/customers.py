"""People in the simulation: they subscribe, change keys, cancel, retry and delete, as it pleases them."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.contracts.operations import COURSES, Kind
from shared.kernel.ids import ALPHABET, ID_LENGTH, SLUG_LENGTH, OperationId, Slug, SubstrateId
from shared.lifecycle.operation import Status as Operated
from shared.lifecycle.substrate import Event, Status
from shared.registry import operations, publishing, substrates
from tests.simulation.faults import Faults, moment
from tests.simulation.registry import MemoryRegistry
from tests.support.registry import SIGNER, Subscribed, subscribed

ACTS: Final = ("publish", "publish", "publish", "revoke", "delete", "delete", "cancel", "retry")

Ring = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class SeededIds:
    """See `shared.kernel.ids.Ids`."""

    chance: random.Random

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self._letters(ID_LENGTH)}"

    def slug(self) -> Slug:
        return Slug(self._letters(SLUG_LENGTH))

    def _letters(self, count: int) -> str:
        return "".join(self.chance.choices(ALPHABET, k=count))


@dataclass(slots=True)
class Customers:
    """The control plane's side, as its actions write it: each act is one transaction and a nudge that may be lost."""

    registry: MemoryRegistry
    faults: Faults
    ring: Ring
    asked_to_delete: set[SubstrateId] = field(default_factory=set)

    async def live(self, acts: int) -> None:
        """One customer's life."""
        chance = self.faults.chance
        await asyncio.sleep(chance.uniform(0, 5))
        customer = await self._subscribe()
        for _ in range(acts):
            await asyncio.sleep(chance.choice([chance.uniform(0, 1), chance.uniform(0, 8), chance.uniform(3, 40)]))
            act = chance.choice(ACTS)
            self.faults.note("customer", f"{act} {customer.substrate}")
            match act:
                case "publish":
                    await self._publish(customer)
                case "revoke":
                    await self._revoke(customer)
                case "delete":
                    await self._delete(customer)
                case "cancel":
                    await self._cancel(customer)
                case "retry":
                    await self._retry(customer)

    async def _subscribe(self) -> Subscribed:
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            customer = await subscribed(tx, now=self._now(), ids=self._ids)
        self.faults.note("customer", f"subscribes {customer.substrate}")
        self.ring("advance", customer.operation)
        return customer

    async def _publish(self, customer: Subscribed) -> None:
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            row = await substrates.claim(tx, customer.substrate)
            if row.status is Status.DELETED:
                return
            due = self._now() if row.status is Status.RUNNING else None
            await publishing.publish(tx, customer.substrate, SIGNER, self._now(), push_due_at=due)
        self.ring("push_policy", customer.substrate)

    async def _revoke(self, customer: Subscribed) -> None:
        operation = OperationId(self._ids.new("op"))
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            row = await substrates.claim(tx, customer.substrate)
            if row.status is not Status.RUNNING:
                return
            now = self._now()
            stored = await publishing.publish(tx, customer.substrate, SIGNER, now, push_due_at=now)
            facts = {"key": customer.key, "epoch": stored.epoch, "generation": stored.generation}
            await operations.insert(
                tx, operation, Kind.REVOKE_KEY, customer.account, customer.substrate, now, facts=facts
            )
        self.ring("advance", operation)

    async def _delete(self, customer: Subscribed) -> None:
        operation = OperationId(self._ids.new("op"))
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            row, now = await substrates.claim(tx, customer.substrate), self._now()
            if row.status in {Status.DELETING, Status.DELETED}:
                return
            active = await operations.find_active(tx, customer.substrate)
            if active is not None:
                await operations.update_canceled(tx, active.id, now)
            await substrates.update_status(tx, customer.substrate, Event.DELETION_ASKED, now)
            await publishing.publish(tx, customer.substrate, SIGNER, now, push_due_at=now)
            await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, now)
        self.asked_to_delete.add(customer.substrate)
        self.ring("advance", operation)

    async def _cancel(self, customer: Subscribed) -> None:
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            active = await operations.find_active(tx, customer.substrate)
            if active is None or not active.cancellable:
                return
            await operations.update_canceled(tx, active.id, self._now())
            row = await substrates.claim(tx, customer.substrate)
            if row.status is Status.PROVISIONING:
                await substrates.update_status(tx, customer.substrate, Event.GAVE_UP, self._now())

    async def _retry(self, customer: Subscribed) -> None:
        async with self.registry.transaction() as tx:
            self.registry.writer = "customer"
            row = await substrates.claim(tx, customer.substrate)
            found = await operations.find(tx, customer.operation)
            if row.status is not Status.FAILED or found is None or found.status is Operated.SUCCEEDED:
                return
            now = self._now()
            await substrates.update_status(tx, customer.substrate, Event.RETRIED, now)
            await operations.update_retried(tx, customer.operation, now, now + COURSES[Kind.START_SUBSTRATE].deadline)
        self.ring("advance", customer.operation)

    @property
    def _ids(self) -> SeededIds:
        return SeededIds(self.faults.chance)

    def _now(self) -> datetime:
        return moment(asyncio.get_running_loop().time())
