"""Changing a substrate's size on its host, and every way a worker can die in it."""

from datetime import timedelta

import msgspec
import pytest

from provisioner.engine.leases import TERM
from shared.contracts.operations import Kind
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.ids import OperationId, RandomIds
from shared.lifecycle.operation import Status
from shared.plans import PLANS, PlanId
from shared.registry import backups, operations, publishing, receipts, subscriptions, substrates
from tests.support import registry as registry_support
from tests.support.breaking import Breaker, WorkerDied
from tests.support.hosts import Host

CALLS = 17
"""How many calls the program makes; a test holds the number true."""


async def ask(host: Host, substrate, plan: PlanId) -> OperationId:
    """As the control plane does: terms, policy and operation in one transaction."""
    operation, now = OperationId(RandomIds().new("op")), host.clock.now()
    async with host.database.transaction() as tx:
        row = await substrates.claim(tx, substrate)
        was = {name: getattr(row.terms, name) for name in ("memory_mb", "cpus", "storage_bytes")}
        await subscriptions.update_terms(tx, row.subscription, PLANS[plan])
        later = now + timedelta(minutes=1)
        await publishing.publish(tx, substrate, registry_support.SIGNER, now, push_due_at=later)
        await operations.insert(tx, operation, Kind.CHANGE_PLAN, row.account, substrate, now, facts={"was": was})
    return operation


def spec_on_host(host: Host, substrate) -> TenantSpec:
    return msgspec.json.decode((host.state.tenants / substrate / "host" / "spec").read_bytes(), type=TenantSpec)


async def is_changed(host: Host, customer, plan: PlanId) -> None:
    spec = (await host.substrate(customer.substrate)).spec
    assert spec.memory_mb == PLANS[plan].memory_mb
    assert spec_on_host(host, customer.substrate) == spec
    assert host.runtime.servers[customer.substrate].launch.spec == spec
    assert host.runtime.starts == [customer.substrate], "nothing was restarted"


@pytest.mark.parametrize("plan", [PlanId.SOLO, PlanId.PRO, PlanId.TEAM])
async def test_up_and_down_again_without_a_restart(host: Host, plan: PlanId) -> None:
    customer = await host.started()

    for wanted in (plan, PlanId.STARTER):
        operation = await ask(host, customer.substrate, wanted)
        await host.advance(operation)
        assert (await host.operation(operation)).status is Status.SUCCEEDED
        await is_changed(host, customer, wanted)


async def test_what_grows_grows_before_the_server_may_use_it(host: Host) -> None:
    customer = await host.started()
    host.tenants.silent.add(customer.substrate)

    await host.advance_a_while(await ask(host, customer.substrate, PlanId.PRO))

    assert host.runtime.servers[customer.substrate].launch.spec.memory_mb == PLANS[PlanId.PRO].memory_mb


async def test_what_shrinks_shrinks_after_the_server_was_told(host: Host) -> None:
    customer = await host.started()
    await host.advance(await ask(host, customer.substrate, PlanId.PRO))
    host.tenants.silent.add(customer.substrate)

    await host.advance_a_while(await ask(host, customer.substrate, PlanId.STARTER))

    assert host.runtime.servers[customer.substrate].launch.spec.memory_mb == PLANS[PlanId.PRO].memory_mb


async def test_one_without_a_server_has_its_files_changed(host: Host) -> None:
    customer = await host.started()
    await host.runtime.ensure_absent(customer.substrate)

    operation = await ask(host, customer.substrate, PlanId.PRO)
    await host.advance(operation)

    assert (await host.operation(operation)).status is Status.SUCCEEDED
    assert spec_on_host(host, customer.substrate).memory_mb == PLANS[PlanId.PRO].memory_mb
    assert not await host.runtime.is_running(customer.substrate)


@pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])
@pytest.mark.parametrize("call", range(CALLS))
async def test_a_worker_killed_at_any_call_is_finished_by_another(host: Host, call: int, *, acts_first: bool) -> None:
    customer = await host.started()
    operation = await ask(host, customer.substrate, PlanId.PRO)
    breaker = Breaker(number=call, acts_first=acts_first)

    try:
        await host.advance(operation, tools=host.broken_by(breaker))
    except WorkerDied:
        assert breaker.broken
    host.clock.advance(TERM + timedelta(seconds=1))
    await host.advance(operation, owner="worker-2")

    assert (await host.operation(operation)).status is Status.SUCCEEDED
    await is_changed(host, customer, PlanId.PRO)


async def test_the_generated_crashes_reach_every_call(host: Host) -> None:
    customer = await host.started()
    counting = Breaker()

    operation = await ask(host, customer.substrate, PlanId.PRO)
    await host.advance(operation, tools=host.broken_by(counting))

    assert len(counting.calls) == CALLS, counting.calls


async def test_a_deletion_overtakes_a_change(host: Host) -> None:
    customer = await host.started()
    await ask(host, customer.substrate, PlanId.PRO)

    await host.advance(await host.ask_to_destroy(customer))

    assert host.left() == []


async def test_a_destruction_leaves_a_receipt(host: Host) -> None:
    customer = await host.started()
    host.clock.advance(timedelta(days=3))
    asked = host.clock.now()

    await host.advance(await host.ask_to_destroy(customer))

    async with host.database.transaction() as tx:
        receipt = await receipts.find(tx, customer.substrate)
    assert receipt is not None
    assert (receipt.substrate_id, receipt.plan) == (customer.substrate, PlanId.STARTER)
    assert receipt.asked_at == asked <= receipt.destroyed_at
    assert receipt.destroyed.keys == 1


async def test_nothing_is_destroyed_that_is_not_being_deleted(host: Host) -> None:
    customer = await host.started()
    operation, now = OperationId(RandomIds().new("op")), host.clock.now()
    async with host.database.transaction() as tx:
        await operations.insert(tx, operation, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, now)

    await host.advance(operation)

    failure = (await host.operation(operation)).error
    assert failure is not None
    assert failure.code == "not_being_deleted"
    assert await host.runtime.is_running(customer.substrate)


async def test_a_deletion_that_can_be_undone_leaves_its_server_watched_and_backed_up(host: Host) -> None:
    customer = await host.started()
    operation, now = OperationId(RandomIds().new("op")), host.clock.now()
    async with host.database.transaction() as tx:
        until = now + timedelta(hours=72)
        await operations.insert(
            tx, operation, Kind.DESTROY_SUBSTRATE, customer.account, customer.substrate, now, held_until=until
        )

    await host.advance(operation)

    async with host.database.transaction() as tx:
        assert customer.substrate in await substrates.list_up(tx)
        assert customer.substrate in {one.id for one in await substrates.list_watched(tx)}
        assert customer.substrate in await backups.list_due(tx, until, 10)
        assert operation not in await operations.list_due(tx, until, 10)
    assert (await host.operation(operation)).status is Status.QUEUED
