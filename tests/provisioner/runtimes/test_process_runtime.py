"""What is particular to servers that run as plain processes."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provisioner.places.places import Places
from provisioner.runtimes import process_spec, processes
from provisioner.runtimes.process_runtime import ProcessRuntime, RuntimeNotForProduction
from provisioner.runtimes.runtime import CannotRun, Launch
from shared.contracts.state_folder import StateFolder
from shared.kernel.clock import SystemClock
from tests.provisioner.runtimes.conftest import Bench
from tests.provisioner.runtimes.test_docker_spec import launch
from tests.support.waiting import until


@pytest.fixture
def bench(state_dir: Path) -> Iterator[Bench]:
    state = StateFolder(state_dir)
    runtime = ProcessRuntime(Path(sys.executable), state, production=False)
    made = Bench(runtime, state, Places(state, SystemClock(), gateway_gid=os.getegid()))
    yield made
    for substrate in made.made:
        runtime._ensure_absent(substrate)


def only(bench: Bench, tenant: Launch) -> processes.Found:
    (found,) = bench.runtime._of(tenant.spec.substrate)  # type: ignore[attr-defined]
    return found


def facts_of(process: processes.Found) -> dict[str, str]:
    """What the kernel says about it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)


@contextmanager
def started_by(tenant: Launch, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that a tenant has started on its own."""
    with subprocess.Popen(
        ["sleep", "60"], user=tenant.uid, group=tenant.uid, extra_groups=[], env=environment
    ) as process:
        yield process
        process.kill()


def test_it_is_refused_in_production(state_dir: Path) -> None:
    with pytest.raises(RuntimeNotForProduction):
        ProcessRuntime(Path(sys.executable), StateFolder(state_dir), production=True)


async def test_an_interpreter_that_is_not_there_is_named(bench: Bench) -> None:
    tenant = await bench.tenant()
    runtime = ProcessRuntime(Path("/nowhere/python"), bench.state, production=False)

    with pytest.raises(CannotRun):
        await runtime.ensure_running(tenant)


async def test_the_server_runs_as_its_own_user_without_privileges(bench: Bench) -> None:
    tenant = await bench.tenant()

    await bench.runtime.ensure_running(tenant)
    until(tenant.folders.live_socket.exists, what="the server to open its socket", seconds=30)

    facts = facts_of(only(bench, tenant))
    assert facts["Uid"].split() == [str(tenant.uid)] * 4
    assert facts["NoNewPrivs"] == "1"
    if os.geteuid() == 0:
        assert int(facts["CapBnd"], 16) == 0
        assert facts["Groups"].strip() == ""


async def test_the_server_inherits_nothing_of_the_workers_environment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROVISIONER_REGISTRY_URL", "postgresql://secret")
    tenant = await bench.tenant()

    await bench.runtime.ensure_running(tenant)

    assert "secret" not in str(only(bench, tenant).environment)


async def test_the_server_outlives_the_worker_that_started_it(bench: Bench) -> None:
    tenant = await bench.tenant()
    await bench.runtime.ensure_running(tenant)

    server = only(bench, tenant)
    assert os.getsid(server.pid) != os.getsid(0)
    assert int(facts_of(server)["PPid"]) != os.getpid()
    later = ProcessRuntime(Path(sys.executable), bench.state, production=False)
    assert await later.is_running(tenant.spec.substrate)


async def test_a_crashed_server_is_started_again_when_asked_for(bench: Bench) -> None:
    tenant = await bench.tenant()
    await bench.runtime.ensure_running(tenant)
    first = only(bench, tenant)
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: processes.look(first.pid) is None, what="the server to end")

    await bench.runtime.ensure_running(tenant)

    assert only(bench, tenant).pid != first.pid


def test_a_stranger_that_got_a_reused_pid_is_not_ended() -> None:
    with subprocess.Popen(["sleep", "30"]) as stranger:
        found = processes.look(stranger.pid)
        assert found is not None
        earlier = dataclasses.replace(found, started="1")

        assert processes.end(earlier, 0.1)

        assert stranger.poll() is None
        stranger.kill()


def test_a_process_that_ignores_being_asked_is_killed() -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as deaf:
        assert deaf.stdout is not None
        deaf.stdout.readline()
        found = processes.look(deaf.pid)
        assert found is not None

        assert processes.end(found, 0.1)

        assert deaf.wait(5) == -signal.SIGKILL


async def test_what_a_tenant_has_started_besides_goes_with_it(bench: Bench) -> None:
    if os.geteuid() != 0:
        return
    tenant = await bench.tenant()
    await bench.runtime.ensure_running(tenant)
    with started_by(tenant, {}) as miner:
        await bench.runtime.ensure_absent(tenant.spec.substrate)

        assert miner.wait(5) != 0


async def test_a_tenant_cannot_pass_for_its_neighbour(bench: Bench) -> None:
    if os.geteuid() != 0:
        return
    victim, attacker = await bench.tenant(), await bench.tenant()
    with started_by(attacker, process_spec.environment(victim)):
        assert not await bench.runtime.is_running(victim.spec.substrate)


async def test_a_log_that_grew_too_long_is_cut(bench: Bench) -> None:
    tenant = await bench.tenant()
    await bench.runtime.ensure_running(tenant)
    log = bench.state.root / "logs" / f"tenant-{tenant.spec.substrate}.log"
    os.truncate(log, process_spec.LOG_BYTES + 1)

    await bench.runtime.tidy()

    assert log.stat().st_size <= process_spec.LOG_BYTES


def test_the_command_line_bounds_and_drops_before_anything_of_the_tenants_runs() -> None:
    line = process_spec.command(launch(), Path("/python"), root=True)

    assert line.index("setsid") < line.index("prlimit") < line.index("setpriv") < line.index("/python")
    assert "--no-new-privs" in line
    assert line[line.index("--reuid") + 1] == "200001"
    assert "--fsize=2000:2000" in line


def test_without_root_no_other_user_is_asked_for() -> None:
    assert "--reuid" not in process_spec.command(launch(), Path("/python"), root=False)
