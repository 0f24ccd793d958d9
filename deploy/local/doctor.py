"""Everything that a first user trips over, each with what was found and how to mend it."""

import datetime as dt
import os
import shutil
import ssl
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from deploy.images.tenant import image
from deploy.local import (
    capacity,
    docker_engine,
    folders,
    health,
    log_lines,
    names,
    ports,
    preflight,
    tenant_programs,
)
from deploy.local.programs import NAMES, ROOT
from deploy.local.settings import LocalSettings, RuntimeChoice
from deploy.local.supervisor import Supervisor
from deploy.local.trouble import Trouble

OLDEST_PYTHON: Final = (3, 11)
GB: Final = 1024**3
LEAST_DISK: Final = 2 * GB
NEARLY_FULL: Final = 0.9
OLDEST_SENSIBLE_YEAR: Final = 2025
CONTROLLERS: Final = frozenset({"memory", "cpu", "pids"})


class Verdict(StrEnum):
    """How bad it is."""

    GOOD = "good"
    WARNING = "warning"
    """It works, with less."""
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    found: str
    fix: str | None = None


Check = Callable[[LocalSettings], Finding]


def examine(settings: LocalSettings) -> list[Finding]:
    """Every check, in the order in which a person would mend things."""
    return [check(settings) for check in CHECKS]


def python(_: LocalSettings) -> Finding:
    """The interpreter is one we can run on."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= OLDEST_PYTHON:
        return Finding("python", Verdict.GOOD, version)
    return Finding("python", Verdict.BAD, version, "Install Python 3.11 or later, then run `make up`.")


def environment(_: LocalSettings) -> Finding:
    """What is installed is what the lock says."""
    stamp = Path(sys.prefix) / ".made-from"
    lock = ROOT / "uv.lock"
    is_fresh = stamp.is_file() and stamp.stat().st_mtime >= lock.stat().st_mtime
    if is_fresh:
        return Finding("packages", Verdict.GOOD, "as locked")
    return Finding("packages", Verdict.WARNING, "older than uv.lock", "Run `make up`, which installs what is locked.")


def disk(settings: LocalSettings) -> Finding:
    """There is room."""
    place = settings.root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found = f"{free / GB:.1f} GB free at {place}"
    if free >= LEAST_DISK:
        return Finding("disk", Verdict.GOOD, found)
    return Finding("disk", Verdict.BAD, found, "Free some, or choose another place with LOAM_STATE_DIR.")


def socket_paths(settings: LocalSettings) -> Finding:
    """The state folder leaves room for sockets."""
    try:
        folders.check_length(settings.root)
    except Trouble as trouble:
        return Finding("state folder", Verdict.BAD, trouble.sentence, trouble.fix)
    return Finding("state folder", Verdict.GOOD, str(settings.root))


def clock(settings: LocalSettings) -> Finding:
    """Certificates and expiry need the right time."""
    now = dt.datetime.now(dt.UTC)
    certificate = settings.ca_file
    is_behind = certificate.is_file() and certificate.stat().st_mtime > now.timestamp() + 60
    if now.year >= OLDEST_SENSIBLE_YEAR and not is_behind:
        return Finding("clock", Verdict.GOOD, now.isoformat(timespec="seconds"))
    return Finding(
        "clock", Verdict.BAD, f"it says {now.isoformat(timespec='seconds')}", "Set the machine's clock (NTP)."
    )


def engine(settings: LocalSettings) -> Finding:
    """A Docker engine answers, where tenants shall run in containers."""
    if settings.runtime is RuntimeChoice.PROCESS:
        return Finding("docker", Verdict.WARNING, "not used: tenants run as processes, isolated little")
    client = docker_engine.find()
    if client is not None:
        with closing(client):
            return Finding("docker", Verdict.GOOD, f"engine {client.version()['Version']}")
    is_needed = settings.runtime is RuntimeChoice.DOCKER
    return Finding(
        "docker",
        Verdict.BAD if is_needed else Verdict.WARNING,
        "no engine answers" + ("" if is_needed else ": tenants would run as processes, isolated little"),
        "Start the engine; as root on Debian and Ubuntu `make up` installs one.",
    )


def control_groups(_: LocalSettings) -> Finding:
    """The kernel can hold a tenant to its limits."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers")
    if unified.is_file():
        present = set(unified.read_text().split())
    else:
        present = {found.name for found in Path("/sys/fs/cgroup").glob("*") if found.is_dir()}
    missing = sorted(CONTROLLERS - present)
    if not missing:
        return Finding("limits", Verdict.GOOD, "memory, CPU and processes can be limited")
    return Finding(
        "limits",
        Verdict.WARNING,
        f"this kernel does not limit: {', '.join(missing)}",
        "Enable these control groups (cgroup v2: `cgroup_enable=memory` on the kernel's command line).",
    )


def tenant_server(settings: LocalSettings) -> Finding:
    """What tenants are started from is built."""
    client = docker_engine.find() if settings.runtime is not RuntimeChoice.PROCESS else None
    try:
        if client is None:
            return Finding("tenant server", Verdict.GOOD, f"runs with {tenant_programs.find_interpreter()}")
        with closing(client):
            built = [tag for found in client.images.list(image.REPOSITORY) for tag in found.tags]
    except Trouble as trouble:
        return Finding("tenant server", Verdict.BAD, trouble.sentence, trouble.fix)
    if built:
        return Finding("tenant server", Verdict.GOOD, f"image {built[0]}")
    return Finding("tenant server", Verdict.WARNING, "no image is built yet", "Run `make up`, which builds it.")


def name_resolution(settings: LocalSettings) -> Finding:
    """Programs find tenants by name."""
    if names.resolves(settings.domain):
        return Finding("names", Verdict.GOOD, f"*.{settings.domain} resolves")
    return Finding(
        "names", Verdict.BAD, f"*.{settings.domain} does not resolve for programs", names.advice(settings.domain)
    )


def listening(settings: LocalSettings) -> Finding:
    """The ports are ours, or free."""
    wanted = f"{settings.https_port} and {settings.http_port} on {', '.join(settings.addresses)}"
    gateway = Supervisor(settings).process_of("gateway")
    try:
        preflight.check_ports(settings)
    except Trouble as trouble:
        return Finding("ports", Verdict.BAD, trouble.sentence, trouble.fix)
    numbers = (settings.https_port, settings.http_port)
    is_ours = all(ports.is_held_only_by(gateway, port, at) for port in numbers for at in settings.addresses)
    return Finding("ports", Verdict.GOOD, f"{wanted}: {'the gateway listens' if is_ours else 'free'}")


def services(settings: LocalSettings) -> Finding:
    """Every program runs."""
    if not was_started(settings):
        return Finding("programs", Verdict.WARNING, "not started yet", "Run `make up`.")
    keeper = Supervisor(settings)
    if not keeper.is_running():
        return Finding("programs", Verdict.BAD, "not started", "Run `make up`.")
    down = [_described(keeper, name) for name in NAMES if keeper.state_of(name) != "RUNNING"]
    if not down:
        return Finding("programs", Verdict.GOOD, "all run")
    return Finding(
        "programs", Verdict.BAD, f"not running: {'; '.join(down)}", f"Run `make up`; logs are in {settings.logs}."
    )


def room(settings: LocalSettings) -> Finding:
    """There is room for more tenants."""
    try:
        found = capacity.read(settings).rooms
    except Trouble as trouble:
        return Finding("capacity", Verdict.WARNING, trouble.sentence, trouble.fix)
    full = [one.name for one in found if one.taken >= NEARLY_FULL * one.limit]
    if not full:
        return Finding("capacity", Verdict.GOOD, "there is room for more tenants")
    return Finding(
        "capacity",
        Verdict.WARNING,
        f"nearly full: {', '.join(full)}",
        "Declare more where the machine has it (PROVISIONER_SHARED_MEMORY_MB and its neighbours), or add a machine.",
    )


def was_started(settings: LocalSettings) -> bool:
    """Whether `up` has ever got as far as starting programs here: if not, that they do not run is no fault."""
    return Supervisor(settings).configuration.is_file()


def _described(keeper: Supervisor, name: str) -> str:
    why = log_lines.last_error(keeper.tail_of(name))
    return f"{name} ({keeper.state_of(name).lower()}{f': {why}' if why else ''})"


def authority(settings: LocalSettings) -> Finding:
    """The certificate that clients must trust is there and still valid."""
    if settings.tls_files is not None:
        try:
            preflight.check_certificate(settings)
        except Trouble as trouble:
            return Finding("certificates", Verdict.BAD, trouble.sentence, trouble.fix)
        return Finding("certificates", Verdict.GOOD, f"from {settings.tls}")
    if not settings.ca_file.is_file():
        if not was_started(settings):
            return Finding("certificates", Verdict.WARNING, "not made yet")
        return Finding("certificates", Verdict.BAD, "no authority yet", "Run `make up`, which makes one.")
    try:
        ssl.create_default_context(cafile=str(settings.ca_file))
    except ssl.SSLError as error:
        return Finding(
            "certificates", Verdict.BAD, f"{settings.ca_file}: {error.reason}", "Remove it and run `make up`."
        )
    return Finding("certificates", Verdict.GOOD, f"clients trust {settings.ca_file}")


def api(settings: LocalSettings) -> Finding:
    """The API answers over TLS."""
    if health.api_answers(settings):
        return Finding("API", Verdict.GOOD, settings.dashboard_url)
    if not was_started(settings):
        return Finding("API", Verdict.WARNING, "not started yet")
    return Finding("API", Verdict.BAD, f"{settings.dashboard_url} does not answer", "Run `make up`.")


def confinement(_: LocalSettings) -> Finding:
    """The gateway is confined."""
    if os.geteuid() == 0:
        return Finding("gateway", Verdict.GOOD, "confined, as a user of its own")
    return Finding("gateway", Verdict.WARNING, "runs as this user, unconfined", "Run as root for customers' use.")


CHECKS: Final[tuple[Check, ...]] = (
    python,
    environment,
    disk,
    socket_paths,
    clock,
    engine,
    control_groups,
    tenant_server,
    name_resolution,
    listening,
    confinement,
    services,
    room,
    authority,
    api,
)
