"""The embedded services: there, private, and left alone when nothing changed."""

import os
import socket
import ssl
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import psycopg
import pytest

from deploy.local import health, ports, postgres, programs, redis, stack, tenants
from deploy.local.trouble import Trouble
from shared.kernel import secret_files
from tests.support import services as containers
from tests.support import waiting

NOBODY = 65534


def pids(services):
    with services.supervisor.rpc() as ask:
        return {found["name"]: found["pid"] for found in ask.getAllProcessInfo()}


def as_nobody(code):
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        check=False,
        cwd="/",
    )
    return done.stdout.decode().strip() or done.stderr.decode()


def test_the_registry_is_migrated_and_belongs_to_a_role_that_owns_nothing_else(services):
    with psycopg.connect(postgres.url(services.settings)) as connection:
        role = connection.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()

    assert role == ("loam", False)
    assert tables is not None
    assert tables[0] > 1


def test_redis_answers(services):
    assert redis.answers(services.settings)


def test_the_gateway_answers_with_a_certificate_that_its_published_authority_signed(services):
    with health.api(services.settings) as client:
        assert client.get("/v1/plans").status_code == httpx.codes.SERVICE_UNAVAILABLE

    assert stat.S_IMODE(services.settings.ca_file.stat().st_mode) == 0o644


def test_the_bundle_adds_the_machines_own_authority_to_the_systems(services):
    bundle = services.settings.ca_bundle.read_text()

    assert services.settings.ca_file.read_text() in bundle
    assert bundle.count("BEGIN CERTIFICATE") > 50
    ssl.create_default_context(cafile=str(services.settings.ca_bundle))


def test_only_the_gateway_listens_on_ports(services):
    listening = {
        name: {inode for table in ("tcp", "tcp6") for inode in inodes(pid, table)}
        for name, pid in pids(services).items()
    }

    assert listening["gateway"]
    assert not listening["postgres"] | listening["redis"]


def inodes(pid, table):
    """Sockets of a process that listen on a port."""
    rows = [row.split() for row in Path("/proc/net", table).read_text().splitlines()[1:]]
    own = {str(handle.readlink()) for handle in Path(f"/proc/{pid}/fd").iterdir()}
    return {row[9] for row in rows if row[3] == ports.LISTENING and f"socket:[{row[9]}]" in own}


@pytest.mark.parametrize("path", ["redis/redis.sock", "run/supervisor.sock"])
def test_another_user_of_the_machine_cannot_reach_a_service(services, path):
    place = services.settings.root / path

    said = as_nobody(f"import socket; socket.socket(socket.AF_UNIX).connect({str(place)!r}); print('connected')")

    assert "PermissionError" in said


def test_another_user_of_the_machine_cannot_ask_the_registry(services):
    assert "Peer authentication failed" in peer_refusal(services)


def peer_refusal(services):
    """What PostgreSQL tells somebody else who asks as Loam."""
    program = services.settings.programs / "postgres" / postgres.BINARIES / "bin" / "psql"
    done = subprocess.run(
        [str(program), "-h", str(postgres.socket_folder(services.settings)), "-U", "loam", "-c", "SELECT 1", "loam"],
        user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    return done.stderr if done.returncode else "it let us in"


def test_no_secret_is_in_the_supervisors_file_or_in_a_command_line(services):
    secrets = [
        secret.value for purpose in secret_files.PURPOSES
        for secret in secret_files.load(services.settings.state.secrets, purpose)
    ]  # fmt: skip
    seen = services.supervisor.configuration.read_bytes()
    for pid in pids(services).values():
        seen += Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()

    assert len(secrets) == len(secret_files.PURPOSES)
    assert not any(secret in seen or secret.hex().encode() in seen for secret in secrets)


def test_starting_again_leaves_everything_running_as_it_is(services):
    before = pids(services)

    services.start()

    assert pids(services) == before


def test_a_program_that_changed_is_restarted_alone(services):
    before = pids(services)
    changed = [replace(program, content="new") if program.name == "redis" else program for program in services.programs]

    replace(services, programs=changed).start()

    after = pids(services)
    assert after["redis"] != before["redis"]
    assert {**after, "redis": 0} == {**before, "redis": 0}


def test_a_program_that_dies_is_started_again(services):
    before = pids(services)["redis"]

    os.kill(before, 9)

    waiting.until(lambda: pids(services)["redis"] not in {0, before}, what="Redis to be started again")
    waiting.until(lambda: redis.answers(services.settings), what="Redis to answer")


def test_a_program_that_cannot_run_is_told_with_the_end_of_its_log(services):
    broken = programs.Program("broken", (sys.executable, "-c", "raise SystemExit('the reason')"))
    services.supervisor.ensure([*services.programs, broken])
    services.supervisor.start("broken")

    with pytest.raises(Trouble, match="the reason"):
        health.wait(services.supervisor, "broken", lambda: False, seconds=3)

    services.supervisor.ensure(services.programs)


def test_a_taken_port_is_named_with_its_holder_and_the_setting(settings):
    with socket.create_server(("127.0.0.1", settings.https_port)), pytest.raises(Trouble) as refused:
        stack.up(settings, lambda _: None)

    assert str(settings.https_port) in refused.value.sentence
    assert f"process {os.getpid()}" in refused.value.sentence
    assert "LOAM_HTTPS_PORT" in refused.value.fix


def test_a_state_folder_whose_sockets_would_be_cut_off_is_refused(settings, state_dir):
    too_long = settings.model_copy(update={"state_dir": state_dir / ("x" * 80)})

    with pytest.raises(Trouble, match="LOAM_STATE_DIR"):
        stack.prepare(too_long)


def test_a_folder_that_is_not_a_state_folder_is_never_emptied(settings, state_dir):
    (state_dir / "somebody's work").write_text("dear")

    with pytest.raises(Trouble, match="LOAM_STATE_DIR"):
        stack.reset(settings, lambda _: None)

    assert (state_dir / "somebody's work").read_text() == "dear"


def test_going_down_ends_this_stacks_tenants_and_no_others(settings, state_dir):
    def tenant_of(folder):
        place = str(folder / "tenants" / "sub_a" / "data")
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={"TENANT_DATA_DIR": place})

    ours, other = tenant_of(state_dir), tenant_of(Path("/tmp/another"))
    try:
        waiting.until(lambda: ours.pid in tenants.processes(settings), what="the process to show its environment")

        stack.down(settings, lambda _: None)

        assert ours.wait(timeout=5) != 0
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


@pytest.mark.containers
def test_going_down_removes_this_stacks_containers_and_no_others(docker_engine, tenant_image, settings):
    def container_of(folder):
        command = ["python3", "-c", "import signal as s; s.signal(s.SIGTERM, lambda *_: exit()); s.pause()"]
        return docker_engine.containers.run(
            tenant_image,
            command,
            detach=True,
            network_mode="none",
            labels={tenants.LABEL: str(folder), **containers.labels()},
        )

    ours, other = container_of(settings.root), container_of("/tmp/another")
    try:
        stack.down(settings, lambda _: None)

        left = {container.id for container in docker_engine.containers.list(all=True, ignore_removed=True)}
        assert ours.id not in left
        assert other.id in left
    finally:
        other.remove(force=True)
