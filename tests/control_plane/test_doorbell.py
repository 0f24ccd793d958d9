"""Nudging workers: quick, forgettable, and never in a request's way."""

import json
import time

import redis
from celery import Celery

from control_plane.gateways.doorbell import WAITING_MOST, CeleryDoorbell
from shared.contracts.operations import NUDGE_ADVANCE, NUDGE_OBSERVE, NUDGE_PUSH_POLICY
from shared.kernel.ids import OperationId, SubstrateId
from tests.control_plane.conftest import served


async def test_a_nudge_is_a_message_that_a_worker_understands(redis_url):
    doorbell = CeleryDoorbell(redis_url)

    doorbell.advance(OperationId("op_1"))
    doorbell.push_policy(SubstrateId("sub_1"))
    doorbell.observe(SubstrateId("sub_1"))
    await doorbell.close()

    with redis.Redis.from_url(redis_url) as client:
        messages = [json.loads(message) for message in client.lrange(Celery().conf.task_default_queue, 0, -1)]
    told = {(message["headers"]["task"], message["headers"]["argsrepr"]) for message in messages}
    assert told == {
        (NUDGE_ADVANCE, "['op_1']"),
        (NUDGE_PUSH_POLICY, "['sub_1']"),
        (NUDGE_OBSERVE, "['sub_1']"),
    }


async def test_without_a_broker_a_subscription_is_taken_as_quickly(settings):
    doorbell = CeleryDoorbell("redis://127.0.0.1:1/0")
    async with served(settings, doorbell=doorbell) as plane:
        customer = await plane.customer()
        began = time.monotonic()

        subscribed = await customer.subscribe()

        assert time.monotonic() - began < 1
        assert subscribed["operation"]["status"] == "queued"


async def test_a_broker_that_hangs_holds_up_nobody(free_port):
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", free_port)):  # accepts, and never answers
        doorbell = CeleryDoorbell(f"redis://127.0.0.1:{free_port}/0")
        began = time.monotonic()

        for number in range(WAITING_MOST * 2):
            doorbell.advance(OperationId(f"op_{number}"))

        assert time.monotonic() - began < 1
        await doorbell.close()
        assert time.monotonic() - began < 10
