"""Policies get to where they are enforced, and nobody claims that they did when they did not."""

import asyncio
from datetime import timedelta

import pytest

from provisioner.programs import carrying
from provisioner.programs.observe import observe
from provisioner.programs.push_policy import push_policy
from shared.contracts.operations import CHANNEL_POLICY, CHANNEL_USAGE, Kind
from shared.contracts.signed_policy import verify
from shared.contracts.tenant_server import KeyUse, Status, Usage
from shared.kernel.clock import to_ms
from shared.kernel.ids import OperationId, SubstrateId
from shared.lifecycle.operation import Status as Operated
from shared.registry import api_keys, operations, policies, publishing, substrates
from shared.registry.policies import StoredPolicy
from tests.support import registry as registry_support
from tests.support.hosts import Host
from tests.support.registry import Subscribed


async def changed(host: Host, customer: Subscribed) -> StoredPolicy:
    """The policy after some change to the substrate's rows."""
    now = host.clock.now()
    async with host.database.transaction() as tx:
        return await publishing.publish(tx, customer.substrate, registry_support.SIGNER, now, push_due_at=now)


async def stored(host: Host, customer: Subscribed) -> StoredPolicy:
    async with host.database.transaction() as tx:
        return await policies.get(tx, customer.substrate)


async def due(host: Host) -> list[SubstrateId]:
    async with host.database.transaction() as tx:
        return await policies.list_push_due(tx, host.clock.now(), 10)


async def on_disk(host: Host, customer: Subscribed) -> int:
    spec = (await host.substrate(customer.substrate)).spec
    jws = host.tools.places.folders_of(spec).policy.read_text()
    return verify(jws, host.tools.keys.trust()).generation


async def test_a_changed_policy_is_on_disk_enforced_and_acknowledged(host: Host) -> None:
    customer = await host.started()
    policy = await changed(host, customer)

    await push_policy(customer.substrate, host.tools)

    assert await on_disk(host, customer) == policy.generation
    assert host.tenants.enforced[customer.substrate] == policy.order
    assert (await stored(host, customer)).acknowledged == policy.order
    assert await due(host) == []


async def test_it_is_carried_again_after_a_while_without_any_reason(host: Host) -> None:
    customer = await host.started()
    await changed(host, customer)
    await push_policy(customer.substrate, host.tools)

    host.clock.advance(carrying.REPEAT)

    assert await due(host) == [customer.substrate]


async def test_a_server_that_runs_and_does_not_answer_has_acknowledged_nothing(host: Host) -> None:
    customer = await host.started()
    before = await stored(host, customer)
    await changed(host, customer)
    host.tenants.silent.add(customer.substrate)

    await push_policy(customer.substrate, host.tools)

    assert (await stored(host, customer)).acknowledged == before.order
    host.clock.advance(timedelta(seconds=1))
    assert await due(host) == [customer.substrate]


async def test_a_server_that_goes_on_misbehaving_is_tried_ever_more_rarely_and_a_change_is_tried_at_once(
    host: Host,
) -> None:
    customer = await host.started()
    await changed(host, customer)
    host.tenants.silent.add(customer.substrate)
    tries = 0
    for _ in range(600):
        if await due(host):
            tries += 1
            await push_policy(customer.substrate, host.tools)
        host.clock.advance(timedelta(seconds=1))
    assert 10 <= tries <= 20

    await changed(host, customer)

    assert await due(host) == [customer.substrate]
    await push_policy(customer.substrate, host.tools)
    host.clock.advance(timedelta(seconds=1))
    assert await due(host) == [customer.substrate]


async def test_a_server_that_was_started_from_an_older_policy_is_given_the_newest_at_once(host: Host) -> None:
    customer = await host.started()
    host.tenants.status_of[customer.substrate] = status(customer, epoch=0, generation=0)

    await observe(customer.substrate, host.tools)

    assert await due(host) == [customer.substrate]


async def test_a_server_whose_socket_is_gone_while_it_runs_has_acknowledged_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await host.started()
    before = await stored(host, customer)
    await changed(host, customer)

    async def runs(_substrate: SubstrateId) -> bool:
        return True

    host.runtime.servers.clear()
    monkeypatch.setattr(type(host.runtime), "is_running", lambda _self, substrate: runs(substrate))

    await push_policy(customer.substrate, host.tools)

    assert (await stored(host, customer)).acknowledged == before.order


async def test_where_no_server_runs_a_policy_on_disk_is_acknowledged(host: Host) -> None:
    customer = await host.started()
    host.runtime.servers.clear()
    policy = await changed(host, customer)

    await push_policy(customer.substrate, host.tools)

    assert await on_disk(host, customer) == policy.generation
    assert (await stored(host, customer)).acknowledged == policy.order


async def test_a_server_cannot_acknowledge_what_nobody_has_signed(host: Host) -> None:
    customer = await host.started()
    policy = await changed(host, customer)
    host.tenants.enforced[customer.substrate] = (9, 9)

    await push_policy(customer.substrate, host.tools)

    assert (await stored(host, customer)).acknowledged == policy.order


async def test_whoever_waits_for_an_acknowledgement_is_told(host: Host) -> None:
    customer = await host.started()
    heard = await listening(host, CHANNEL_POLICY)
    await changed(host, customer)

    await push_policy(customer.substrate, host.tools)

    assert await heard() == customer.substrate


async def test_a_followed_revocation_ends_when_its_policy_is_enforced(host: Host) -> None:
    customer = await host.started()
    policy = await changed(host, customer)
    operation = await followed(host, customer, policy)

    await push_policy(customer.substrate, host.tools)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED


async def test_a_revocation_is_followed_until_the_server_answers_again(host: Host) -> None:
    customer = await host.started()
    host.tenants.silent.add(customer.substrate)
    operation = await followed(host, customer, await changed(host, customer))

    for _ in range(3):
        await host.advance_a_while(operation)
    assert (await host.operation(operation)).status is Operated.RUNNING
    host.tenants.silent.clear()
    host.clock.advance(carrying.LONGEST_PAUSE)
    await host.advance_a_while(operation)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED


async def test_nothing_is_carried_for_a_substrate_that_is_gone(host: Host) -> None:
    customer = await host.started()
    await host.advance(await host.ask_to_destroy(customer))

    await push_policy(customer.substrate, host.tools)

    assert host.left() == []


async def test_a_push_before_the_folders_are_made_is_left_to_the_start(host: Host) -> None:
    customer = await host.subscribe()
    policy = await changed(host, customer)

    await push_policy(customer.substrate, host.tools)
    assert await due(host) == []
    await host.advance(customer.operation)

    assert (await stored(host, customer)).acknowledged == policy.order


async def test_usage_is_observed_and_told(host: Host) -> None:
    customer = await host.started()
    heard = await listening(host, CHANNEL_USAGE)
    used_at = host.clock.now() - timedelta(minutes=1)
    host.tenants.status_of[customer.substrate] = status(
        customer, keys=(KeyUse(key_id=customer.key, at_ms=to_ms(used_at), client="cursor 1.2"),)
    )

    await observe(customer.substrate, host.tools)

    async with host.database.transaction() as tx:
        usage = await substrates.find_usage(tx, customer.substrate)
        key = await api_keys.find(tx, customer.substrate, customer.key)
    assert usage is not None
    assert (usage.atoms, usage.storage_bytes, usage.month) == (3, 4, "2026-11")
    assert key is not None
    assert (key.last_used_at, key.last_client) == (used_at, "cursor 1.2")
    assert await heard() == customer.substrate


async def test_absurd_claims_are_kept_inside_what_can_be(host: Host) -> None:
    customer = await host.started()
    host.tenants.status_of[customer.substrate] = status(
        customer,
        usage=Usage(atoms=-5, storage_bytes=10**30, month="'; DROP"),
        last_request_ms=10**30,
        last_client="\x1b[31m\u202eevil\0\n" + "x" * 500,
        keys=(KeyUse(key_id="\0" * 9, at_ms=-(10**30)), KeyUse(key_id=customer.key, at_ms=10**30)),
    )

    await observe(customer.substrate, host.tools)

    async with host.database.transaction() as tx:
        usage = await substrates.find_usage(tx, customer.substrate)
        key = await api_keys.find(tx, customer.substrate, customer.key)
    assert usage is not None
    assert (usage.atoms, usage.storage_bytes, usage.month) == (0, 2**53, "2026-11")
    assert usage.last_request_at == host.clock.now()
    assert usage.last_client is not None
    assert usage.last_client.startswith("[31mevilxxx")
    assert len(usage.last_client) <= 80
    assert key is not None
    assert key.last_used_at == host.clock.now()


async def test_a_tenant_cannot_write_to_another_tenants_keys(host: Host) -> None:
    one, other = await host.started(), await host.started()
    host.tenants.status_of[one.substrate] = status(one, keys=(KeyUse(key_id=other.key, at_ms=to_ms(host.clock.now())),))

    await observe(one.substrate, host.tools)

    async with host.database.transaction() as tx:
        key = await api_keys.find(tx, other.substrate, other.key)
    assert key is not None
    assert key.last_used_at is None


async def test_a_server_that_does_not_answer_leaves_the_last_observation(host: Host) -> None:
    customer = await host.started()
    host.tenants.silent.add(customer.substrate)

    await observe(customer.substrate, host.tools)

    async with host.database.transaction() as tx:
        assert await substrates.find_usage(tx, customer.substrate) is None


def status(customer: Subscribed, **members: object) -> Status:
    plain: dict[str, object] = {"usage": Usage(atoms=3, storage_bytes=4, month="2026-11")}
    plain |= {"epoch": 1, "generation": 1}
    return Status(substrate=customer.substrate, **(plain | members))  # type: ignore[arg-type]


async def followed(host: Host, customer: Subscribed, policy: StoredPolicy) -> OperationId:
    operation = OperationId("op_revocation")
    facts = {"epoch": policy.epoch, "generation": policy.generation}
    async with host.database.transaction() as tx:
        await operations.insert(
            tx, operation, Kind.REVOKE_KEY, customer.account, customer.substrate, host.clock.now(), facts=facts
        )
    return operation


async def listening(host: Host, channel: str):
    """A coroutine function that returns what the channel says first from now on."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await host.database.listen([channel], lambda _channel, said: heard.put_nowait(said), asyncio.Event())

    async def first() -> str:
        try:
            return await asyncio.wait_for(heard.get(), 5)
        finally:
            await connection.close()

    return first
