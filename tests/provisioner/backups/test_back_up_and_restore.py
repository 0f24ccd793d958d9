"""A memory is backed up and restored, and every way a worker can die in it."""

from contextlib import suppress
from datetime import timedelta

import pytest

from provisioner.engine.leases import TERM
from provisioner.gateway_probe import Probed, Readiness
from provisioner.programs import restore
from shared.contracts.backups import Reason, State
from shared.contracts.operations import Kind
from shared.kernel import secret_files
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import Status as Operated
from shared.registry import backup_keys, backups
from shared.registry.backups import Backup
from tests.support.breaking import Breaker, CallBroke, WorkerDied
from tests.support.hosts import Host, memory_of
from tests.support.registry import Subscribed

BACK_UP_CALLS = 18
RESTORE_CALLS = 33
"""How many calls the programs make; a test holds the numbers true."""

ACTS_FIRST = pytest.mark.parametrize("acts_first", [False, True], ids=["not done", "done but not answered"])


async def test_a_backup_is_kept_encrypted_and_noted(host: Host) -> None:
    customer = await host.with_memory(b"the office moved")

    backup = await _backed_up(host, customer)

    assert (backup.state, backup.reason) == (State.READY, Reason.ASKED)
    kept = host.state.backups / backup.object
    assert kept.stat().st_size == backup.bytes
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"the office moved" not in kept.read_bytes()
    assert backup.memory_bytes == len(memory_of(b"the office moved"))
    assert list(host.state.backups_under_way.iterdir()) == []


async def test_a_restored_memory_is_byte_for_byte_what_was_backed_up(host: Host) -> None:
    customer = await host.with_memory(b"first")
    backup = await _backed_up(host, customer)
    host.memory_file(customer).write_bytes(memory_of(b"second"))

    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)
    await _until_ended(host, operation)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED
    assert host.memory_file(customer).read_bytes() == memory_of(b"first")
    assert host.runtime.servers[customer.substrate].running
    assert host.runtime.servers[customer.substrate].limited
    tenant = host.memory_file(customer).parents[1]
    assert {path.name for path in tenant.iterdir()} == {"data", "keys", "host"}


async def test_a_restored_memory_belongs_to_its_tenant_alone(host: Host) -> None:
    customer = await host.with_memory()
    backup = await _backed_up(host, customer)
    uid = (await host.substrate(customer.substrate)).uid

    await _until_ended(host, await host.ask(customer, Kind.RESTORE, backup=backup.id))

    for path in (host.memory_file(customer).parent, host.memory_file(customer)):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (uid, uid)
        assert found.st_mode & 0o077 == 0


async def test_a_server_that_does_not_run_is_started_to_be_backed_up(host: Host) -> None:
    customer = await host.with_memory()
    await host.runtime.ensure_absent(customer.substrate)

    await _backed_up(host, customer)

    assert host.runtime.servers[customer.substrate].running


async def test_a_server_that_does_not_come_up_on_the_restored_memory_gets_the_previous_one_back(host: Host) -> None:
    customer = await host.with_memory(b"first")
    backup = await _backed_up(host, customer)
    host.memory_file(customer).write_bytes(memory_of(b"second"))
    host.gateway.answers = [Probed(Readiness.NOT_YET, "its address answers 503")] * 2
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)

    host.gateway.on_asked = lambda: host.clock.advance(restore.TRIAL)
    await _until_ended(host, operation)

    ended = await host.operation(operation)
    assert ended.status is Operated.FAILED
    assert ended.error is not None
    assert ended.error.code == "restore_taken_back"
    assert host.memory_file(customer).read_bytes() == memory_of(b"second")
    assert host.runtime.servers[customer.substrate].running


async def test_a_damaged_memory_is_taken_back_although_its_server_answers(host: Host) -> None:
    customer = await host.with_memory(b"first")
    backup = await _backed_up(host, customer)
    host.memory_file(customer).write_bytes(memory_of(b"second"))
    host.tenants.damaged_memories.add(memory_of(b"first"))
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)

    host.gateway.on_asked = lambda: host.clock.advance(restore.TRIAL)
    await _until_ended(host, operation)

    assert (await host.operation(operation)).status is Operated.FAILED
    assert host.memory_file(customer).read_bytes() == memory_of(b"second")


@pytest.mark.parametrize("harm", ["cut", "changed", "gone", "another backup's", "another tenant's"])
async def test_a_backup_that_is_not_what_was_kept_is_refused_and_nothing_is_changed(host: Host, harm: str) -> None:
    customer = await host.with_memory(b"first")
    other = await host.with_memory(b"other")
    backup, second, others = [await _backed_up(host, who) for who in (customer, customer, other)]
    kept = host.state.backups / backup.object
    match harm:
        case "cut":
            kept.write_bytes(kept.read_bytes()[:-1])
        case "changed":
            content = bytearray(kept.read_bytes())
            content[-40] ^= 1
            kept.write_bytes(content)
        case "gone":
            kept.unlink()
        case "another backup's":
            kept.write_bytes((host.state.backups / second.object).read_bytes())
        case "another tenant's":
            kept.write_bytes((host.state.backups / others.object).read_bytes())
    host.memory_file(customer).write_bytes(memory_of(b"second"))
    starts = list(host.runtime.starts)
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)

    await _until_ended(host, operation)

    ended = await host.operation(operation)
    assert ended.error is not None
    assert ended.error.code == "backup_not_usable"
    assert host.memory_file(customer).read_bytes() == memory_of(b"second")
    assert host.runtime.starts == starts, "its server went on serving"


async def test_a_destroyed_key_makes_every_backup_unreadable(host: Host) -> None:
    customer = await host.with_memory()
    backup = await _backed_up(host, customer)
    async with host.database.transaction() as tx:
        await backup_keys.delete(tx, customer.substrate)
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)

    await _until_ended(host, operation)

    ended = await host.operation(operation)
    assert ended.error is not None
    assert ended.error.code == "backup_not_usable"


async def test_destroying_a_substrate_destroys_its_key_and_lets_its_backups_go(host: Host) -> None:
    customer = await host.with_memory()
    await _backed_up(host, customer)

    await _until_ended(host, await host.ask_to_destroy(customer))

    async with host.database.transaction() as tx:
        assert await backup_keys.find(tx, customer.substrate) is None
        assert await backups.list_ready(tx, customer.substrate) == []
        assert len(await backups.list_leaving(tx, 10)) == 1


async def test_a_key_sealed_with_an_older_secret_of_the_ring_still_opens(host: Host) -> None:
    customer = await host.with_memory(b"first")
    backup = await _backed_up(host, customer)
    newer = host.state.secrets / f"{secret_files.BACKUP}.2.key"
    newer.write_bytes(b"n" * 32)
    newer.chmod(0o400)

    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)
    await _until_ended(host, operation)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED


@ACTS_FIRST
@pytest.mark.parametrize("call", range(BACK_UP_CALLS))
@pytest.mark.parametrize("error", [WorkerDied, CallBroke])
async def test_a_worker_killed_at_any_call_of_a_backup_is_finished_by_another(
    host: Host, call: int, error: type[BaseException], *, acts_first: bool
) -> None:
    customer = await host.with_memory(b"first")
    await host.runtime.ensure_absent(customer.substrate)
    operation = await host.ask(customer, Kind.BACK_UP)

    await _broken_at(host, operation, Breaker(number=call, acts_first=acts_first, error=error))
    await _until_ended(host, operation)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED
    async with host.database.transaction() as tx:
        (backup,) = await backups.list_ready(tx, customer.substrate)
    assert [str(path.relative_to(host.state.backups)) for path in host.state.backups.rglob("*.age")] == [backup.object]


@ACTS_FIRST
@pytest.mark.parametrize("call", range(RESTORE_CALLS))
@pytest.mark.parametrize("error", [WorkerDied, CallBroke])
async def test_a_worker_killed_at_any_call_of_a_restore_is_finished_by_another(
    host: Host, call: int, error: type[BaseException], *, acts_first: bool
) -> None:
    customer = await host.with_memory(b"first")
    backup = await _backed_up(host, customer)
    host.memory_file(customer).write_bytes(memory_of(b"second"))
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)

    await _broken_at(host, operation, Breaker(number=call, acts_first=acts_first, error=error))
    assert host.memory_file(customer).exists(), "there is no moment without a memory"
    await _until_ended(host, operation)

    assert (await host.operation(operation)).status is Operated.SUCCEEDED
    assert host.memory_file(customer).read_bytes() == memory_of(b"first")
    assert {path.name for path in host.memory_file(customer).parents[1].iterdir()} == {"data", "keys", "host"}


async def test_the_generated_crashes_reach_every_call_of_both_programs(host: Host) -> None:
    customer = await host.with_memory()
    await host.runtime.ensure_absent(customer.substrate)
    counting = Breaker()
    operation = await host.ask(customer, Kind.BACK_UP)
    await host.advance(operation, tools=host.broken_by(counting))
    assert len(counting.calls) == BACK_UP_CALLS, counting.calls

    async with host.database.transaction() as tx:
        (backup,) = await backups.list_ready(tx, customer.substrate)
    counting = Breaker()
    operation = await host.ask(customer, Kind.RESTORE, backup=backup.id)
    await host.advance(operation, tools=host.broken_by(counting))
    assert len(counting.calls) == RESTORE_CALLS, counting.calls


async def _backed_up(host: Host, customer: Subscribed) -> Backup:
    operation = await host.ask(customer, Kind.BACK_UP)
    await _until_ended(host, operation)
    ended = await host.operation(operation)
    assert ended.status is Operated.SUCCEEDED, ended.error
    host.clock.advance(timedelta(minutes=1))
    async with host.database.transaction() as tx:
        return (await backups.list_ready(tx, customer.substrate))[0]


async def _broken_at(host: Host, operation: OperationId, breaker: Breaker) -> None:
    with suppress(WorkerDied, CallBroke):
        await host.advance(operation, tools=host.broken_by(breaker))
    host.clock.advance(TERM + timedelta(seconds=1))


async def _until_ended(host: Host, operation: OperationId) -> None:
    for _ in range(8):
        if not (await host.operation(operation)).active:
            return
        await host.advance(operation, owner="worker-2")
        host.clock.advance(TERM + timedelta(seconds=1))
    raise AssertionError(await host.operation(operation))
