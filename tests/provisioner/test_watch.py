"""What runs on a host is what should, sooner or later."""

import pytest

from provisioner.programs.watch import watch
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Event, Status
from shared.registry import operations, policies, substrates
from shared.registry.substrates import Observed
from tests.support.hosts import Host


async def test_a_dedicated_server_that_has_gone_is_started_again(host: Host) -> None:
    customer = await host.started("team")
    host.runtime.servers.clear()

    await watch(host.tools)

    assert await host.runtime.is_running(customer.substrate)
    assert host.runtime.servers[customer.substrate].limited


async def test_its_policy_is_carried_again_at_once(host: Host) -> None:
    customer = await host.started("team")
    host.runtime.servers.clear()

    await watch(host.tools)

    async with host.database.transaction() as tx:
        assert await policies.list_push_due(tx, host.clock.now(), 10) == [customer.substrate]


async def test_a_shared_server_that_has_gone_sleeps_until_somebody_asks_for_it(host: Host) -> None:
    customer = await host.started()
    host.runtime.servers.clear()

    await watch(host.tools)

    assert host.runtime.servers == {}
    assert (await host.substrate(customer.substrate)).observed is Observed.ABSENT


async def test_a_server_that_was_woken_without_the_registry_is_noticed(host: Host) -> None:
    customer = await host.started()
    async with host.database.transaction() as tx:
        await substrates.update_observed(tx, customer.substrate, Observed.ABSENT, 1)

    await watch(host.tools)

    assert (await host.substrate(customer.substrate)).observed is Observed.RUNNING


async def test_what_a_dead_shared_server_has_left_behind_is_removed(host: Host) -> None:
    customer = await host.started()
    host.runtime.servers[customer.substrate].running = False

    await watch(host.tools)

    assert host.runtime.servers == {}


async def test_a_server_that_runs_is_left_alone(host: Host) -> None:
    customer = await host.started()

    await watch(host.tools)

    assert host.runtime.starts == [customer.substrate]


async def test_a_substrate_that_an_operation_is_busy_with_is_left_to_it(host: Host) -> None:
    customer = await host.started()
    await host.ask_to_destroy(customer)
    host.runtime.servers.clear()

    await watch(host.tools)

    assert host.runtime.servers == {}


async def test_a_server_of_a_substrate_that_failed_is_not_brought_back(host: Host) -> None:
    customer = await host.subscribe()
    async with host.database.transaction() as tx:
        await operations.update_canceled(tx, customer.operation, host.clock.now())
        await substrates.update_status(tx, customer.substrate, Event.GAVE_UP, host.clock.now())

    await watch(host.tools)

    assert (await host.substrate(customer.substrate)).status is Status.FAILED
    assert host.runtime.servers == {}


async def test_folders_that_the_registry_does_not_know_are_never_removed(host: Host) -> None:
    unknown = host.state.tenants / "sub_from_another_registry" / "data"
    unknown.mkdir(parents=True)

    await watch(host.tools)

    assert unknown.exists()


async def test_a_server_that_the_registry_does_not_know_is_reported_and_left_alone(
    host: Host, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    customer = await host.started()
    stranger = SubstrateId("sub_from_another_registry")
    host.runtime.servers[stranger] = host.runtime.servers[customer.substrate]

    await watch(host.tools)

    assert await host.runtime.is_running(stranger)
    said = "".join(capfd.readouterr()) + caplog.text  # wherever logs go when this test's turn comes
    assert "tenants that the registry does not know" in said
    assert stranger in said


async def test_a_container_that_was_created_and_never_started_is_made_anew(host: Host) -> None:
    customer = await host.started("team")
    host.runtime.servers[customer.substrate].running = False

    await watch(host.tools)

    assert await host.runtime.is_running(customer.substrate)


async def test_remains_of_a_deleted_substrate_are_removed(host: Host) -> None:
    customer = await host.started()
    await host.advance(await host.ask_to_destroy(customer))
    (host.state.control / customer.substrate).mkdir()

    await watch(host.tools)

    assert host.left() == []


async def test_one_substrates_trouble_does_not_keep_others_down(host: Host) -> None:
    broken, other = await host.started("team"), await host.started("team")
    host.runtime.servers.clear()
    place = host.tools.places.folders_of((await host.substrate(broken.substrate)).spec)
    await host.tools.places.remove((await host.substrate(broken.substrate)).spec)

    await watch(host.tools)

    assert await host.runtime.is_running(other.substrate)
    assert not place.tenant.exists(), "lost data is not papered over with empty folders"
    assert SubstrateId(broken.substrate) not in host.runtime.servers
