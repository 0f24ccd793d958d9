"""The registry in memory keeps the promises of the real one: the same tests, against both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.operations import Kind
from shared.kernel.ids import OperationId, SubstrateId
from shared.lifecycle.operation import Status
from shared.lifecycle.substrate import Event
from shared.lifecycle.substrate import Status as Lived
from shared.lifecycle.transitions import TransitionRefused
from shared.registry import api_keys, operations, policies, publishing, substrates
from shared.registry.operations import Failure, Lease, LeaseLost, OperationUnderWay, StepRecord
from shared.registry.substrates import Observed
from tests.simulation.registry import MemoryRegistry
from tests.support.registry import NOW, SIGNER, Subscribed, connected, subscribed

LATER = NOW + timedelta(seconds=15)
DESTROYING = OperationId("op_destroy")
REVOKING = OperationId("op_revoke")


@asynccontextmanager
async def in_memory() -> AsyncIterator[MemoryRegistry]:
    yield MemoryRegistry()


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def registry(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """Both, one after the other."""
    opened = in_memory() if request.param == "memory" else connected(request.getfixturevalue("registry_url"))
    async with opened as database:
        yield database


@pytest.fixture
async def customer(registry: Any) -> Subscribed:
    async with registry.transaction() as tx:
        return await subscribed(tx)


async def taken(registry: Any, customer: Subscribed, owner: str = "a") -> Lease:
    async with registry.transaction() as tx:
        found = await operations.claim_lease(tx, customer.operation, owner, NOW, LATER)
    assert found is not None
    return found[1]


async def test_rows_come_back_as_they_were_written(registry: Any, customer: Subscribed) -> None:
    async with registry.transaction() as tx:
        substrate = await substrates.get(tx, customer.substrate)
        operation = await operations.find(tx, customer.operation)
        grants = await api_keys.list_grants(tx, customer.substrate, NOW)
        stored = await policies.get(tx, customer.substrate)

    assert (substrate.status, substrate.uid, substrate.created_at) == (Lived.PROVISIONING, 200_000, NOW)
    assert (substrate.terms.id, substrate.ready_at) == ("starter", None)
    assert operation is not None
    assert (operation.status, operation.steps, operation.facts) == (Status.QUEUED, (), {})
    assert operation.due_at == NOW
    assert grants, "the first key is granted from the beginning"
    assert (stored.order, stored.signed_at) == ((1, 1), NOW)


async def test_a_transaction_that_raises_leaves_nothing(registry: Any, customer: Subscribed) -> None:
    with pytest.raises(ValueError, match="cut"):
        async with registry.transaction() as tx:
            await operations.update_canceled(tx, customer.operation, NOW)
            raise ValueError("cut")

    async with registry.transaction() as tx:
        assert (await operations.list_of(tx, customer.substrate))[0].status is Status.QUEUED


async def test_a_second_active_operation_is_refused_and_a_followed_revocation_is_not(
    registry: Any, customer: Subscribed
) -> None:
    with pytest.raises(OperationUnderWay):
        async with registry.transaction() as tx:
            await operations.insert(tx, DESTROYING, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, NOW)

    async with registry.transaction() as tx:
        await operations.insert(tx, REVOKING, Kind.REVOKE_KEY, customer.account, customer.substrate, NOW)
        active = await operations.find_active(tx, customer.substrate)
    assert active is not None
    assert active.id == customer.operation


async def test_a_lease_is_taken_once_and_again_when_it_has_run_out(registry: Any, customer: Subscribed) -> None:
    first = await taken(registry, customer)
    async with registry.transaction() as tx:
        assert await operations.claim_lease(tx, customer.operation, "b", NOW, LATER) is None
        assert await operations.list_due(tx, NOW, 10) == []
        assert await operations.list_due(tx, LATER, 10) == [customer.operation]
        second = await operations.claim_lease(tx, customer.operation, "b", LATER, LATER + timedelta(seconds=15))

    assert second is not None
    assert second[1].number == first.number + 1


async def test_every_write_under_a_lost_lease_is_refused(registry: Any, customer: Subscribed) -> None:
    lost = await taken(registry, customer)
    async with registry.transaction() as tx:
        await operations.claim_lease(tx, customer.operation, "b", LATER, LATER + timedelta(seconds=15))

    writes = (
        lambda tx: operations.update_lease(tx, lost, LATER),
        lambda tx: operations.get_guarded(tx, lost),
        lambda tx: operations.update_progress(tx, lost, step="x", steps=(), attempts=1),
        lambda tx: operations.update_paused(tx, lost, LATER),
        lambda tx: operations.update_ended(tx, lost, Status.SUCCEEDED, LATER, steps=(), error=None),
    )
    for write in writes:
        with pytest.raises(LeaseLost):
            async with registry.transaction() as tx:
                await write(tx)


async def test_progress_and_failure_are_kept(registry: Any, customer: Subscribed) -> None:
    lease = await taken(registry, customer)
    steps = (StepRecord(name="make_folders", started_at=NOW, waiting_for="the “sun”"),)
    failure = Failure(code="no_use", detail="It cannot be done.")
    async with registry.transaction() as tx:
        await operations.update_progress(tx, lease, step="make_folders", steps=steps, attempts=2)
        await operations.update_ended(tx, lease, Status.FAILED, LATER, steps=steps, error=failure)
        found = await operations.find(tx, customer.operation)

    assert found is not None
    assert (found.status, found.steps, found.error, found.attempts) == (Status.FAILED, steps, failure, 2)
    assert found.finished_at == LATER


async def test_a_retried_operation_begins_anew_and_an_active_one_is_not_retried(
    registry: Any, customer: Subscribed
) -> None:
    with pytest.raises(TransitionRefused):
        async with registry.transaction() as tx:
            await operations.update_retried(tx, customer.operation, NOW, LATER)
    async with registry.transaction() as tx:
        assert await operations.update_canceled(tx, customer.operation, NOW)
        assert not await operations.update_canceled(tx, customer.operation, NOW)
        await operations.update_retried(tx, customer.operation, NOW, LATER)
        found = await operations.find(tx, customer.operation)

    assert found is not None
    assert (found.status, found.deadline_at, found.steps) == (Status.QUEUED, LATER, ())


async def test_statuses_follow_the_table(registry: Any, customer: Subscribed) -> None:
    async with registry.transaction() as tx:
        await operations.update_canceled(tx, customer.operation, NOW)
        await substrates.update_status(tx, customer.substrate, Event.BECAME_READY, LATER)
        await substrates.update_observed(tx, customer.substrate, Observed.RUNNING, 1)
        assert await substrates.list_up(tx) == [customer.substrate]
        await substrates.update_status(tx, customer.substrate, Event.DELETION_ASKED, LATER)
        await substrates.update_status(tx, customer.substrate, Event.TORN_DOWN, LATER)
        gone = await substrates.get(tx, customer.substrate)
        others = [customer.substrate, SubstrateId("sub_unknown")]
        assert await substrates.list_deleted(tx, others) == [customer.substrate]
        assert await substrates.list_deleted(tx, []) == []
        assert await substrates.list_up(tx) == []

    assert (gone.status, gone.ready_at, gone.deleted_at) == (Lived.DELETED, LATER, LATER)
    with pytest.raises(TransitionRefused):
        async with registry.transaction() as tx:
            await substrates.update_status(tx, customer.substrate, Event.BECAME_READY, LATER)


async def test_acknowledgements_never_go_back(registry: Any, customer: Subscribed) -> None:
    async with registry.transaction() as tx:
        newer = await publishing.publish(tx, customer.substrate, SIGNER, LATER, push_due_at=LATER)
        await policies.update_acknowledged(tx, customer.substrate, newer.order, LATER, next_push=None)
        await policies.update_acknowledged(tx, customer.substrate, (1, 1), LATER, next_push=NOW)
        found = await policies.get(tx, customer.substrate)
        assert await policies.list_push_due(tx, LATER, 10) == []

    assert (newer.order, found.acknowledged) == ((1, 2), (1, 2))


async def test_an_acknowledged_policy_ends_the_revocations_it_carries(registry: Any, customer: Subscribed) -> None:
    later = OperationId("op_later")
    async with registry.transaction() as tx:
        for operation, generation in ((REVOKING, 2), (later, 3)):
            facts = {"key": customer.key, "epoch": 1, "generation": generation}
            await operations.insert(
                tx, operation, Kind.REVOKE_KEY, customer.account, customer.substrate, NOW, facts=facts
            )
        await operations.update_followed_revocations(tx, customer.substrate, (1, 2), LATER)
        ended, waits = await operations.find(tx, REVOKING), await operations.find(tx, later)

    assert ended is not None
    assert waits is not None
    assert (ended.status, waits.status) == (Status.SUCCEEDED, Status.QUEUED)
