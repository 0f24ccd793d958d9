"""A customer's backups: listed, made, restored."""

import pytest

from shared.contracts.backups import Reason, State, StoreKind
from shared.contracts.operations import Kind
from shared.kernel.ids import BackupId, OperationId
from shared.lifecycle.substrate import Event
from shared.registry import backups, operations, substrates
from shared.registry.backups import Backup


@pytest.fixture
async def running(plane, customer):
    """A substrate that runs, with one backup."""
    subscribed = await customer.subscribe()
    substrate, now = subscribed["substrate"]["id"], plane.clock.now()
    async with plane.tools.database.transaction() as tx:
        await operations.update_canceled(tx, OperationId(subscribed["operation"]["id"]), now)
        await substrates.update_status(tx, substrate, Event.BECAME_READY, now)
        await backups.insert(
            tx,
            Backup(
                id=BackupId("bak_first"),
                substrate=substrate,
                key="bkey_1",
                reason=Reason.SCHEDULE,
                state=State.READY,
                store=StoreKind.FOLDER,
                object=f"{substrate}/bak_first_1.age",
                bytes=10,
                memory_bytes=20,
                sha256="0" * 64,
                created_at=now,
            ),
        )
    return substrate


async def test_backups_are_listed_without_saying_where_they_are_kept(customer, running):
    (found,) = (await customer.get(f"/substrates/{running}/backups")).json()["backups"]

    assert (found["id"], found["reason"], found["memory_bytes"]) == ("bak_first", "schedule", 20)
    assert not {"object", "store", "key"} & set(found)


async def test_a_backup_is_an_operation_that_can_be_followed(customer, running):
    answer = await customer.post(f"/substrates/{running}/backups")

    assert answer.status_code == 202, answer.text
    assert answer.json()["operation"]["kind"] == Kind.BACK_UP.value
    second = await customer.post(f"/substrates/{running}/backups")
    assert (second.status_code, second.json()["code"]) == (409, "operation_under_way")


async def test_a_restore_is_an_operation_that_knows_its_backup(plane, customer, running):
    answer = await customer.post(f"/substrates/{running}/backups/bak_first/restore")

    assert answer.status_code == 202, answer.text
    async with plane.tools.database.transaction() as tx:
        found = await operations.find(tx, OperationId(answer.json()["operation"]["id"]))
    assert found is not None
    assert (found.kind, found.facts) == (Kind.RESTORE, {"backup": "bak_first"})


async def test_the_same_request_again_begins_nothing_new(customer, running):
    headers = {"Idempotency-Key": "once"}
    first = await customer.post(f"/substrates/{running}/backups", headers=headers)
    again = await customer.post(f"/substrates/{running}/backups", headers=headers)

    assert first.json() == again.json()


async def test_a_substrate_that_never_ran_has_nothing_to_back_up(customer):
    subscribed = await customer.subscribe()

    answer = await customer.post(f"/substrates/{subscribed['substrate']['id']}/backups")

    assert (answer.status_code, answer.json()["code"]) == (409, "no_memory")


@pytest.mark.parametrize("path", ["backups", "backups/bak_first/restore"])
async def test_anothers_backups_do_not_exist(stranger, running, path):
    assert (await stranger.post(f"/substrates/{running}/{path}")).status_code == 404
    assert (await stranger.get(f"/substrates/{running}/backups")).status_code == 404


@pytest.mark.parametrize("backup", ["bak_other", "BAD ID", "x" * 100])
async def test_a_backup_that_is_not_there_cannot_be_restored(customer, running, backup):
    assert (await customer.post(f"/substrates/{running}/backups/{backup}/restore")).status_code == 404


async def test_nobody_without_a_token_sees_backups(plane, running):
    assert (await plane.http.get(f"/v1/substrates/{running}/backups")).status_code == 401
