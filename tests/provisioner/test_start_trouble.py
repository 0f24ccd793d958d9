"""A start that cannot succeed at once, or at all."""

from datetime import timedelta

import pytest

from provisioner.gateway_probe import Probed, Readiness
from provisioner.runtimes.runtime import CannotRun, RuntimeAway
from shared.kernel.ids import Slug
from shared.lifecycle.operation import Status as Operated
from shared.lifecycle.substrate import Status
from shared.registry import policies, publishing
from tests.support import registry as registry_support
from tests.support.hosts import Host
from tests.support.runtimes import FakeGateway, FakeRuntime


async def test_a_server_that_needs_a_while_is_waited_for(host: Host) -> None:
    customer = await host.subscribe()
    host.gateway.answers = [Probed(Readiness.NOT_YET, "its address answers 503")] * 5

    await host.advance(customer.operation)

    assert (await host.substrate(customer.substrate)).status is Status.RUNNING
    assert len(host.gateway.asked) == 6


async def test_a_server_that_does_not_know_the_newest_policy_is_handed_it(host: Host) -> None:
    customer = await host.subscribe()
    host.gateway.answers = [Probed(Readiness.REFUSED)]

    await host.advance(customer.operation)

    assert host.tenants.enforced[customer.substrate] == customer.policy.order
    assert (await host.substrate(customer.substrate)).status is Status.RUNNING


async def test_a_policy_that_changed_meanwhile_is_pushed_after_the_start(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await host.subscribe()
    answer = FakeGateway.whoami

    async def answer_while_a_key_is_made(gateway: FakeGateway, slug: Slug, token: str) -> Probed:
        now = host.clock.now()
        async with host.database.transaction() as tx:
            await publishing.publish(tx, customer.substrate, registry_support.SIGNER, now, push_due_at=None)
        return await answer(gateway, slug, token)

    monkeypatch.setattr(FakeGateway, "whoami", answer_while_a_key_is_made)

    await host.advance(customer.operation)

    async with host.database.transaction() as tx:
        stored = await policies.get(tx, customer.substrate)
        due = await policies.list_push_due(tx, host.clock.now(), 10)
    assert stored.acknowledged == customer.policy.order
    assert stored.order > customer.policy.order
    assert due == [customer.substrate]


async def test_a_start_that_never_answers_fails_with_a_name_and_can_be_retried(host: Host) -> None:
    customer = await host.subscribe()
    host.gateway.answers = [Probed(Readiness.NOT_YET, "its address answers 503")] * 100_000

    await host.advance(customer.operation)

    operation = await host.operation(customer.operation)
    assert operation.status is Operated.FAILED
    assert operation.error is not None
    assert operation.error.code == "deadline_passed"
    assert "Checking that it answers at its address" in operation.error.detail
    assert "503" in operation.error.detail
    substrate = await host.substrate(customer.substrate)
    assert (substrate.status, substrate.status_reason) == (Status.FAILED, "deadline_passed")


async def test_a_host_without_the_image_fails_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await host.subscribe()
    _break(monkeypatch, CannotRun("no image"))

    await host.advance(customer.operation)

    operation = await host.operation(customer.operation)
    assert operation.error is not None
    assert operation.error.code == "server_cannot_start"
    assert (await host.substrate(customer.substrate)).status is Status.FAILED


async def test_an_engine_that_is_away_for_a_while_delays_a_start_and_no_more(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await host.subscribe()
    with monkeypatch.context() as broken:
        _break(broken, RuntimeAway("the engine is away"))
        await host.advance(customer.operation)
    assert (await host.operation(customer.operation)).status is Operated.RUNNING

    host.clock.advance(timedelta(seconds=15))
    await host.advance(customer.operation)

    assert (await host.substrate(customer.substrate)).status is Status.RUNNING


async def test_a_server_that_dies_while_it_is_waited_for_is_started_again(host: Host) -> None:
    customer = await host.subscribe()
    host.gateway.answers = [_Dying(host)]  # type: ignore[list-item]

    await host.advance(customer.operation)

    assert (await host.substrate(customer.substrate)).status is Status.RUNNING
    assert len(host.runtime.starts) == 2


async def test_a_failed_start_can_be_destroyed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await host.subscribe()
    with monkeypatch.context() as broken:
        _break(broken, CannotRun("no image"))
        await host.advance(customer.operation)

    await host.advance(await host.ask_to_destroy(customer))

    assert host.left() == []
    assert (await host.substrate(customer.substrate)).status is Status.DELETED


def _break(patch: pytest.MonkeyPatch, error: Exception) -> None:
    async def broken(_self: FakeRuntime, _launch: object) -> None:
        raise error

    patch.setattr(FakeRuntime, "ensure_running", broken)


class _Dying:
    """An answer in whose making the server dies."""

    reason = "its address answers 502"

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def readiness(self) -> Readiness:
        for server in self._host.runtime.servers.values():
            server.running = False
        return Readiness.NOT_YET
