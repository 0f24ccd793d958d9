import asyncio
from datetime import timedelta

import pytest

from shared.contracts.operations import Kind
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import Status
from shared.registry import operations
from shared.registry.operations import LeaseLost, OperationUnderWay, StepRecord
from tests.support.registry import NOW, subscribed

LEASE = timedelta(seconds=15)


async def claim(database, operation, *, owner="worker", now=NOW):
    async with database.transaction() as tx:
        return await operations.claim_lease(tx, operation, owner, now, now + LEASE)


async def test_of_twenty_workers_one_gets_the_lease(database, tenant):
    claims = await asyncio.gather(*(claim(database, tenant.operation, owner=f"w{n}") for n in range(20)))

    assert sum(1 for found in claims if found) == 1


async def test_a_lease_that_ran_out_goes_to_another_and_the_first_can_write_nothing(database, tenant):
    _, first = await claim(database, tenant.operation, owner="first")
    _, second = await claim(database, tenant.operation, owner="second", now=NOW + LEASE)
    record = (StepRecord(name="make_folders", started_at=NOW),)
    writes = [
        lambda tx: operations.update_lease(tx, first, NOW + LEASE),
        lambda tx: operations.update_progress(tx, first, step="make_folders", steps=record, attempts=1),
        lambda tx: operations.update_paused(tx, first, NOW),
        lambda tx: operations.update_ended(tx, first, Status.SUCCEEDED, NOW, steps=record, error=None),
        lambda tx: operations.get_guarded(tx, first),
    ]

    for write in writes:
        with pytest.raises(LeaseLost):
            async with database.transaction() as tx:
                await write(tx)

    async with database.transaction() as tx:
        await operations.get_guarded(tx, second)
        found = await operations.find(tx, tenant.operation)
    assert found is not None
    assert (found.step, found.status) == (None, Status.RUNNING)


async def test_a_canceled_operation_is_lost_to_whoever_holds_it(database, tenant):
    _, lease = await claim(database, tenant.operation)

    async with database.transaction() as tx:
        assert await operations.update_canceled(tx, tenant.operation, NOW)
        assert not await operations.update_canceled(tx, tenant.operation, NOW)

    with pytest.raises(LeaseLost):
        async with database.transaction() as tx:
            await operations.update_lease(tx, lease, NOW + LEASE)


async def test_a_substrate_has_one_operation_at_a_time(database, tenant):
    with pytest.raises(OperationUnderWay):
        async with database.transaction() as tx:
            await operations.insert(
                tx, OperationId("op_2"), Kind.DESTROY_SUBSTRATE, tenant.account, tenant.substrate, NOW
            )


async def test_work_is_due_until_somebody_holds_it_and_again_when_the_lease_runs_out(database, tenant):
    async def due(now):
        async with database.transaction() as tx:
            return await operations.list_due(tx, now, 10)

    assert await due(NOW) == [tenant.operation]
    await claim(database, tenant.operation)
    assert await due(NOW + LEASE - timedelta(seconds=1)) == []
    assert await due(NOW + LEASE) == [tenant.operation]


async def test_a_paused_operation_is_due_when_its_pause_is_over(database, tenant):
    _, lease = await claim(database, tenant.operation)
    async with database.transaction() as tx:
        await operations.update_paused(tx, lease, NOW + timedelta(seconds=2))

    assert await claim(database, tenant.operation, now=NOW + timedelta(seconds=1)) is None
    assert await claim(database, tenant.operation, now=NOW + timedelta(seconds=2)) is not None


async def test_a_followed_revocation_ends_with_the_policy_that_holds_it_and_not_with_an_older_one(database, tenant):
    async with database.transaction() as tx:
        other = await subscribed(tx)
        for operation, whose in (("op_r1", tenant), ("op_r2", other)):
            await operations.insert(
                tx,
                OperationId(operation),
                Kind.REVOKE_KEY,
                whose.account,
                whose.substrate,
                NOW,
                facts={"epoch": 1, "generation": 5},
            )

        await operations.update_followed_revocations(tx, tenant.substrate, (1, 4), NOW)
        still = await operations.find(tx, OperationId("op_r1"))
        await operations.update_followed_revocations(tx, tenant.substrate, (1, 5), NOW)
        ended = await operations.find(tx, OperationId("op_r1"))
        others = await operations.find(tx, OperationId("op_r2"))

    assert [found and found.status for found in (still, ended, others)] == [
        Status.QUEUED,
        Status.SUCCEEDED,
        Status.QUEUED,
    ]
