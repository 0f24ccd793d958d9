"""What every runtime promises: the same suite, unchanged, against each."""

import asyncio
import dataclasses
from pathlib import Path

import msgspec

from provisioner.runtimes.docker_spec import FILE_SHARE
from provisioner.runtimes.runtime import Launch
from shared.kernel.ids import SubstrateId
from tests.provisioner.runtimes.conftest import Bench
from tests.support.waiting import until


async def test_a_server_that_was_asked_for_runs(bench: Bench) -> None:
    launch = await bench.tenant()

    await bench.runtime.ensure_running(launch)

    await _runs(bench, launch)


async def test_asking_twice_starts_one_server(bench: Bench) -> None:
    launch = await bench.tenant()

    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)
    before = await _identity(bench, launch.spec.substrate)
    await bench.runtime.ensure_running(launch)

    assert await _identity(bench, launch.spec.substrate) == before


async def test_a_later_generation_replaces_an_earlier_one(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)
    before = await _identity(bench, launch.spec.substrate)

    await bench.runtime.ensure_running(_at(launch, 2))

    await _runs(bench, launch)
    assert await _identity(bench, launch.spec.substrate) != before


async def test_an_earlier_generation_never_replaces_a_later_one(bench: Bench) -> None:
    launch = _at(await bench.tenant(), 5)
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)
    before = await _identity(bench, launch.spec.substrate)

    await bench.runtime.ensure_running(_at(launch, 4))

    assert await _identity(bench, launch.spec.substrate) == before


async def test_limits_can_be_set_while_it_runs_and_again(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)

    await bench.runtime.apply_limits(launch)
    await bench.runtime.apply_limits(launch)

    assert await bench.runtime.is_running(launch.spec.substrate)


async def test_a_running_server_takes_another_size_without_a_restart(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)
    before = await _identity(bench, launch.spec.substrate)

    for factor in (4, 1):
        storage = launch.spec.storage_bytes * factor
        size = msgspec.structs.replace(
            launch.spec, memory_mb=launch.spec.memory_mb * factor, cpus=launch.spec.cpus * factor, storage_bytes=storage
        )
        await bench.runtime.apply_limits(dataclasses.replace(launch, spec=size))

        assert await bench.runtime.is_running(launch.spec.substrate)
        assert await _identity(bench, launch.spec.substrate) == before
        for pid in _pids(bench, launch.spec.substrate):
            # Where not even root may change another's limits (capabilities(7)), the next start does it.
            expected = storage if _may_change_limits() else launch.spec.storage_bytes
            assert _largest_file(pid) == expected * FILE_SHARE


async def test_limits_of_a_server_that_is_not_there_are_no_error(bench: Bench) -> None:
    launch = await bench.tenant()

    await bench.runtime.apply_limits(launch)

    assert not await bench.runtime.is_running(launch.spec.substrate)


async def test_a_server_that_shall_not_run_is_gone_without_a_trace(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)

    await bench.runtime.ensure_absent(launch.spec.substrate)

    assert not await bench.runtime.is_running(launch.spec.substrate)
    assert launch.spec.substrate not in await bench.runtime.list_all()


async def test_removing_what_was_never_there_is_no_error(bench: Bench) -> None:
    launch = await bench.tenant()

    await bench.runtime.ensure_absent(launch.spec.substrate)
    await bench.runtime.ensure_absent(launch.spec.substrate)

    assert not await bench.runtime.is_running(launch.spec.substrate)


async def test_a_server_can_be_started_again_after_it_was_removed(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)
    await bench.runtime.ensure_absent(launch.spec.substrate)

    await bench.runtime.ensure_running(launch)

    await _runs(bench, launch)


async def test_one_tenants_server_is_removed_and_its_neighbours_is_not(bench: Bench) -> None:
    one, other = await bench.tenant(), await bench.tenant()
    await bench.runtime.ensure_running(one)
    await bench.runtime.ensure_running(other)
    await _runs(bench, one)
    await _runs(bench, other)

    await bench.runtime.ensure_absent(one.spec.substrate)

    assert await bench.runtime.is_running(other.spec.substrate)
    assert await bench.runtime.list_all() == {other.spec.substrate: True}


async def test_housekeeping_disturbs_nobody(bench: Bench) -> None:
    launch = await bench.tenant()
    await bench.runtime.ensure_running(launch)
    await _runs(bench, launch)

    await bench.runtime.tidy()

    assert await bench.runtime.is_running(launch.spec.substrate)


def _at(launch: Launch, generation: int) -> Launch:
    return dataclasses.replace(launch, spec=msgspec.structs.replace(launch.spec, generation=generation))


async def _runs(bench: Bench, launch: Launch) -> None:
    """It runs, and where servers are real it has opened its socket."""
    assert await bench.runtime.is_running(launch.spec.substrate)
    if type(bench.runtime).__name__ != "FakeRuntime":
        await asyncio.to_thread(
            until, launch.folders.live_socket.exists, what="the server to open its socket", seconds=30
        )


async def _identity(bench: Bench, substrate: SubstrateId) -> object:
    """What changes when a server is replaced."""
    match type(bench.runtime).__name__:
        case "DockerRuntime":
            return bench.runtime._find(substrate).id  # type: ignore[attr-defined]
        case "ProcessRuntime":
            return [(found.pid, found.started) for found in bench.runtime._of(substrate)]  # type: ignore[attr-defined]
        case _:
            return list(bench.runtime.starts)  # type: ignore[attr-defined]


def _pids(bench: Bench, substrate: SubstrateId) -> list[int]:
    """Of the real ones, its processes as the kernel knows them."""
    match type(bench.runtime).__name__:
        case "DockerRuntime":
            return [bench.runtime._find(substrate).attrs["State"]["Pid"]]  # type: ignore[attr-defined]
        case "ProcessRuntime":
            return [found.pid for found in bench.runtime._of(substrate)]  # type: ignore[attr-defined]
        case _:
            return []


def _largest_file(pid: int) -> int:
    (line,) = [
        line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if line.startswith("Max file size")
    ]
    return int(line.split()[3])


def _may_change_limits() -> bool:
    """CAP_SYS_RESOURCE."""
    status = Path("/proc/self/status").read_text()
    (effective,) = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff")]
    return bool(int(effective, 16) >> 24 & 1)
