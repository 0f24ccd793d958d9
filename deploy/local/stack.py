"""The whole of Loam on this machine: up, down, reset. Each looks before it acts and may be repeated."""

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Final

import docker.errors

from deploy.images.tenant import image
from deploy.local import (
    authority,
    docker_engine,
    folders,
    health,
    names,
    postgres,
    preflight,
    programs,
    redis,
    tenant_programs,
    tenants,
    users,
)
from deploy.local.programs import Program, Tenancy, Users
from deploy.local.settings import LocalSettings, RuntimeChoice
from deploy.local.supervisor import Supervisor
from deploy.local.trouble import Trouble
from shared.kernel import secret_files
from shared.registry import migrations

Say = Callable[[str], None]

TENANTS_SECONDS: Final = 30.0
STEP_SECONDS: Final = 0.1

RUNTIME_FILE: Final = "runtime"
"""Under the state folder: how tenants ran last, for `info`."""


@dataclass(frozen=True, slots=True)
class Info:
    """What scripts need to know about a stack; names are never changed, only added."""

    api_url: str
    dashboard_url: str
    domain: str
    ca_file: str
    ca_bundle: str
    state_dir: str
    runtime: str
    staff_token_file: str

    def as_dict(self) -> dict[str, str]:
        """As `loam info --json` prints it."""
        return asdict(self)


def info(settings: LocalSettings) -> Info:
    """Where this stack is, whether it runs or not."""
    noted = settings.run / RUNTIME_FILE
    return Info(
        api_url=settings.dashboard_url,
        dashboard_url=settings.dashboard_url,
        domain=settings.domain,
        ca_file=str(settings.ca_file),
        ca_bundle=str(settings.ca_bundle),
        state_dir=str(settings.root),
        runtime=noted.read_text().strip() if noted.is_file() else settings.runtime.value,
        staff_token_file=str(settings.staff_token_file),
    )


def up(settings: LocalSettings, say: Say) -> list[str]:
    """Start what does not run and restart what changed; what the person should be warned of.

    Raises:
        Trouble: something is in the way, with what to do about it.
    """
    keeper = Supervisor(settings)
    preflight.check(settings)
    staff = prepare(settings)
    unresolved = names.ensure(settings.domain)
    tenancy, isolation = choose_tenancy(settings, say)
    (settings.run / RUNTIME_FILE).write_text(tenancy.runtime + "\n")

    services = programs.services(settings, staff)
    own = programs.own(settings, staff, tenancy)
    keeper.ensure([*services, *own])
    start_services(settings, keeper, say)
    _start_own(settings, keeper, own, say)
    quiet = _wait_for_tenants(settings, say)
    return [warning for warning in (unresolved, isolation, quiet) if warning]


def prepare(settings: LocalSettings) -> Users:
    """Folders, secrets and the database's files; who runs what.

    Raises:
        Trouble: something is in the way.
    """
    staff = Users(
        gateway=users.ensure(users.GATEWAY), postgres=users.ensure(users.POSTGRES), redis=users.ensure(users.REDIS)
    )
    folders.make(settings, gateway=staff.gateway, postgres=staff.postgres, redis=staff.redis)
    for purpose in secret_files.PURPOSES:
        secret_files.ensure(settings.state.secrets, purpose)
    postgres.initialise(settings, staff.postgres)
    return staff


def start_services(settings: LocalSettings, keeper: Supervisor, say: Say) -> None:
    """PostgreSQL with the newest schema, Redis, and the gateway.

    Raises:
        Trouble: one does not come up.
    """
    for name in ("postgres", "redis", "gateway"):
        keeper.start(name)
    say("waiting for PostgreSQL")
    health.wait(keeper, "postgres", lambda: postgres.answers(settings))
    postgres.prepare(settings)
    migrations.apply(postgres.url(settings))
    say("waiting for Redis")
    health.wait(keeper, "redis", lambda: redis.answers(settings))
    say("waiting for the gateway")
    health.wait(keeper, "gateway", lambda: authority.publish(settings) and health.gateway_answers(settings))


def choose_tenancy(settings: LocalSettings, say: Say) -> tuple[Tenancy, str | None]:
    """How tenants run here, with what that needs in place, and a warning where they are isolated little.

    Raises:
        Trouble: containers were asked for and there is no engine, or something could not be built.
    """
    why: Trouble | None = None
    if settings.runtime is not RuntimeChoice.PROCESS:
        say("looking for a Docker engine")
        try:
            with closing(docker_engine.ensure()) as client:
                say("making sure of the tenants' image")
                return Tenancy(image=image.ensure(client)), None
        except docker.errors.DockerException as error:
            why = Trouble(
                "A Docker engine answers but cannot do what tenants need.",
                fix="See its words and its log; or run tenants as processes with LOAM_RUNTIME=process.",
                detail=str(error),
            )
        except Trouble as trouble:
            why = trouble
        if settings.runtime is RuntimeChoice.DOCKER:
            raise why
    say("making sure of the tenants' programs")
    python = tenant_programs.ensure(settings)
    reason = f" {why.sentence} {why.fix}" if why else ""
    return Tenancy(python=python), (
        f"TENANTS RUN AS PLAIN PROCESSES: they are isolated little. For trying out only, never for customers.{reason}"
    )


def down(settings: LocalSettings, say: Say) -> bool:
    """Stop everything that was started, tenants too; all data stays. Whether anything ran."""
    keeper = Supervisor(settings)
    ran = keeper.is_running()
    if ran:
        say("stopping the programs")
        keeper.stop()
    say("stopping the tenants")
    ended = 0
    client = docker_engine.find()
    if client is not None:
        with closing(client):
            ended += tenants.remove_containers(client, settings)
    ended += tenants.end_processes(settings)
    return ran or ended > 0


def reset(settings: LocalSettings, say: Say) -> None:
    """As `down`, and then remove the state folder: every account, every memory, every key.

    Raises:
        Trouble: the folder is not one of ours.
    """
    root = settings.root
    is_ours = not root.exists() or (root / "secrets").is_dir() or not any(root.iterdir())
    if not is_ours:
        raise Trouble(f"{root} does not look like a state folder of Loam's.", fix="Check LOAM_STATE_DIR.")
    down(settings, say)
    say("removing the state folder")
    if root.exists():
        shutil.rmtree(root)


def _start_own(settings: LocalSettings, keeper: Supervisor, own: list[Program], say: Say) -> None:
    started = {program.name for program in own if keeper.start(program.name)}
    say("waiting for the control plane")
    health.wait(keeper, "control-plane", lambda: health.api_answers(settings))
    say("waiting for the waker")
    health.wait(keeper, "waker", lambda: tenants.listens(settings.state.waker_socket))
    say("waiting for the worker")
    if "worker" in started:
        health.wait(keeper, "worker", lambda: keeper.state_of("worker") == "RUNNING")


def _tenants(number: int) -> str:
    return f"{number} tenant{'' if number == 1 else 's'}"


def _wait_for_tenants(settings: LocalSettings, say: Say) -> str | None:
    """The worker brings every tenant back; what the person should know if some are not there yet."""
    ends = time.monotonic() + TENANTS_SECONDS
    while still := tenants.silent(settings):
        say(f"waiting for {_tenants(len(still))}")
        if time.monotonic() > ends:
            are = "is" if len(still) == 1 else "are"
            return f"{_tenants(len(still))} {are} still being started; see {settings.logs / 'worker.log'}."
        time.sleep(STEP_SECONDS)
    return None
