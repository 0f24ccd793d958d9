"""Following, canceling and retrying work."""

import asyncio
import time
from datetime import timedelta

import pytest

from shared.contracts.operations import COURSES, Kind
from shared.kernel.ids import OperationId
from shared.lifecycle.operation import Status
from shared.lifecycle.substrate import Event
from shared.registry import operations, policies, substrates
from shared.registry.operations import Failure, StepRecord


@pytest.fixture
async def subscribed(customer):
    return await customer.subscribe()


@pytest.fixture
def path(subscribed):
    return f"/operations/{subscribed['operation']['id']}"


async def lease(plane, subscribed):
    now = plane.clock.now()
    operation = OperationId(subscribed["operation"]["id"])
    async with plane.tools.database.transaction() as tx:
        found = await operations.claim_lease(tx, operation, "worker", now, now + timedelta(seconds=30))
    assert found is not None
    return found[1]


async def fail(plane, subscribed):
    """As the provisioner does when it gives up."""
    held = await lease(plane, subscribed)
    now = plane.clock.now()
    steps = (StepRecord(name="make_folders", started_at=now),)
    async with plane.tools.database.transaction() as tx:
        await operations.update_progress(tx, held, step="make_folders", steps=steps, attempts=3)
        await operations.update_ended(
            tx, held, Status.FAILED, now, steps=steps, error=Failure(code="disk_full", detail="The disk is full.")
        )
        await substrates.update_status(tx, subscribed["substrate"]["id"], Event.GAVE_UP, now)


async def test_an_operation_shows_every_step_in_words(customer, path):
    found = (await customer.get(path)).json()

    assert [step["title"] for step in found["steps"]] == [title for _, title in COURSES[Kind.START_SUBSTRATE].steps]
    assert {step["status"] for step in found["steps"]} == {"pending"}
    assert found["percent"] == 0
    assert found["status"] == "queued"
    assert found["cancellable"] is True


async def test_progress_is_shown(plane, customer, subscribed, path):
    held = await lease(plane, subscribed)
    now = plane.clock.now()
    steps = (
        StepRecord(name="make_folders", started_at=now, finished_at=now),
        StepRecord(name="carry_policy", started_at=now, waiting_for="the disk"),
    )
    async with plane.tools.database.transaction() as tx:
        await operations.update_progress(tx, held, step="carry_policy", steps=steps, attempts=1)

    found = (await customer.get(path)).json()

    assert [step["status"] for step in found["steps"]] == ["done", "running", "pending", "pending", "pending"]
    assert found["steps"][1]["waiting_for"] == "the disk"
    assert found["percent"] == 20


async def test_waiting_ends_as_soon_as_the_operation_does(plane, customer, subscribed, path):
    began = time.monotonic()
    waiting = asyncio.create_task(customer.get(f"{path}?wait=30"))
    await asyncio.sleep(0)

    await plane.worker.start(subscribed)

    found = (await waiting).json()
    assert found["status"] == "succeeded"
    assert found["percent"] == 100
    assert time.monotonic() - began < 5


async def test_waiting_works_without_notices_too(plane, customer, subscribed, path):
    await plane.tools.notices.close()
    waiting = asyncio.create_task(customer.get(f"{path}?wait=30"))
    await plane.worker.start(subscribed)

    assert (await waiting).json()["status"] == "succeeded"


async def test_waiting_has_an_end(customer, path):
    answer = await customer.get(f"{path}?wait=1")

    assert answer.json()["status"] == "queued"


@pytest.mark.parametrize("wait", ["-1", "31", "soon", "1e9", "9" * 40, ""])
async def test_a_wait_is_a_number_of_seconds_up_to_thirty(customer, path, wait):
    answer = await customer.get(f"{path}?wait={wait}")

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


async def test_a_reader_that_knows_the_state_is_told_of_the_next_change(plane, customer, subscribed, path):
    tag = (await customer.get(path)).headers["etag"]
    assert (await customer.get(path, headers={"If-None-Match": tag})).status_code == 304
    waiting = asyncio.create_task(customer.get(f"{path}?wait=30", headers={"If-None-Match": tag}))

    await lease(plane, subscribed)

    answer = await waiting
    assert answer.status_code == 200
    assert answer.json()["status"] == "running"


async def test_a_start_may_be_canceled_and_begun_anew(plane, customer, subscribed, path):
    held = await lease(plane, subscribed)

    canceled = await customer.post(f"{path}/cancel")

    assert canceled.json()["status"] == "canceled"
    substrate = f"/substrates/{subscribed['substrate']['id']}"
    assert (await customer.get(substrate)).json()["status"] == "failed"
    with pytest.raises(operations.LeaseLost):
        async with plane.tools.database.transaction() as tx:
            await operations.get_guarded(tx, held)
    again = await customer.post(f"{path}/retry")
    assert again.status_code == 202
    assert again.json()["status"] == "queued"
    assert (await customer.get(substrate)).json()["status"] == "provisioning"
    assert plane.doorbell.told[-1] == ("advance", subscribed["operation"]["id"])
    await plane.worker.start(subscribed)
    assert (await customer.get(substrate)).json()["status"] == "running"


async def test_what_has_ended_cannot_be_canceled(plane, customer, subscribed, path):
    await plane.worker.start(subscribed)

    answer = await customer.post(f"{path}/cancel")

    assert answer.status_code == 409
    assert answer.json()["code"] == "operation_not_cancellable"


async def test_a_failure_says_why_and_can_be_retried(plane, customer, subscribed, path):
    await fail(plane, subscribed)

    found = (await customer.get(path)).json()

    assert found["status"] == "failed"
    assert found["retryable"] is True
    assert found["error"]["code"] == "disk_full"
    assert found["steps"][0]["status"] == "failed"
    again = await customer.post(f"{path}/retry")
    assert again.json()["status"] == "queued"
    assert again.json()["error"] is None


async def test_what_runs_or_succeeded_is_not_retried(plane, customer, subscribed, path):
    assert (await customer.post(f"{path}/retry")).json()["code"] == "operation_not_retryable"
    await plane.worker.start(subscribed)

    assert (await customer.post(f"{path}/retry")).status_code == 409


async def test_a_start_is_not_retried_once_its_substrate_is_deleted(plane, customer, subscribed, path):
    await fail(plane, subscribed)
    await customer.delete(f"/substrates/{subscribed['substrate']['id']}")

    answer = await customer.post(f"{path}/retry")

    assert answer.status_code == 409


async def test_of_many_retries_one_wins(plane, customer, subscribed, path):
    await fail(plane, subscribed)

    answers = await asyncio.gather(*(customer.post(f"{path}/retry") for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5


async def test_a_change_of_keys_after_a_canceled_start_is_carried(plane, customer, subscribed, path):
    substrate = subscribed["substrate"]["id"]
    await customer.post(f"{path}/cancel")
    (key,) = (await customer.get(f"/substrates/{substrate}/keys")).json()["keys"]

    await customer.delete(f"/substrates/{substrate}/keys/{key['id']}")

    async with plane.tools.database.transaction() as tx:
        assert await policies.list_push_due(tx, plane.clock.now(), 10) == [substrate]
    assert plane.doorbell.told[-1] == ("push_policy", substrate)
