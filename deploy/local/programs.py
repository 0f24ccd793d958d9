"""The programs of the local stack: plain values that the supervisor is asked to keep running."""

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.gateway import launch
from deploy.local import folders, postgres, redis
from deploy.local.settings import LocalSettings
from deploy.local.users import User

ROOT: Final = Path(__file__).resolve().parents[2]
PASSED_ON: Final = ("DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")
"""Of the operator's environment; everything else of it is nobody's business."""

NAMES: Final = ("postgres", "redis", "gateway", "control-plane", "worker", "waker")
"""In the order in which they are started."""

SOURCE_SUFFIXES: Final = frozenset({".py", ".sql", ".html", ".css", ".js", ".lock", ".txt", ".json"})

SIGN_UPS_AT_HOME: Final = 1000
"""An hour, where all that sign up are this machine's own developers and tests, in one network."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program: how it is started, and what it was made of, so that a change restarts it."""

    name: str
    command: tuple[str, ...]
    user: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    content: str = ""


@dataclass(frozen=True, slots=True)
class Tenancy:
    """How tenants run on this machine: exactly one of the two is set."""

    image: str | None = None
    python: Path | None = None

    @property
    def runtime(self) -> str:
        """`docker` or `process`."""
        return "docker" if self.image else "process"


@dataclass(frozen=True, slots=True)
class Users:
    """Who runs what."""

    gateway: User
    postgres: User
    redis: User


def services(settings: LocalSettings, users: Users) -> list[Program]:
    """PostgreSQL, Redis and the gateway."""
    return [
        Program("postgres", tuple(postgres.command(settings)), user=_switch_to(users.postgres), stop_signal="INT"),
        Program("redis", tuple(redis.command(settings)), user=_switch_to(users.redis)),
        gateway(settings, users.gateway),
    ]


def gateway(settings: LocalSettings, user: User) -> Program:
    """Caddy: confined where root starts it."""
    described = described_gateway(settings)
    caddy = folders.copy_program(launch.caddy_program(), settings.programs / "caddy")
    is_confined = os.geteuid() == 0
    command = described.confined_command(caddy, uid=user.uid, gid=user.gid) if is_confined else described.command(caddy)
    content = hashlib.sha256(launch.CADDYFILE.read_bytes() + launch.CONFINED.read_bytes()).hexdigest()
    content += copy_certificate(settings, user)
    return Program("gateway", tuple(command), environment=described.environment(), content=content)


def described_gateway(settings: LocalSettings) -> launch.Gateway:
    """The gateway of this stack."""
    served = served_certificate(settings)
    tls = launch.INTERNAL if settings.tls_files is None else " ".join(str(file) for file in served)
    return launch.Gateway(
        domain=settings.domain,
        https_port=settings.https_port,
        http_port=settings.http_port,
        bind=settings.addresses,
        edge=settings.state.edge,
        storage=settings.root / "gateway",
        mount_point=settings.run / "gateway-root",
        tls=tls,
    )


def served_certificate(settings: LocalSettings) -> tuple[Path, Path]:
    """Where the gateway finds the operator's certificate and key: it sees no other folder than its own."""
    return settings.root / "gateway" / "certificate.pem", settings.root / "gateway" / "key.pem"


def copy_certificate(settings: LocalSettings, user: User) -> str:
    """Put the operator's certificate and key into the gateway's folder; a fingerprint, so that new ones restart it."""
    if settings.tls_files is None:
        return ""
    words = hashlib.sha256()
    for source, target in zip(settings.tls_files, served_certificate(settings), strict=True):
        content = source.read_text()
        words.update(content.encode())
        folders.write(target, content, mode=0o600)
        os.chown(target, user.uid, user.gid)
    return words.hexdigest()


def own(settings: LocalSettings, users: Users, tenancy: Tenancy) -> list[Program]:
    """Loam's programs: control plane, worker, waker."""
    common = {
        "REGISTRY_URL": postgres.url(settings),
        "BROKER_URL": redis.url(settings),
        "STATE_DIR": str(settings.root),
        "DOMAIN": settings.domain,
        "HTTPS_PORT": str(settings.https_port),
        "ENVIRONMENT": "development",
    }
    if settings.tls_files is None:
        common["CA_FILE"] = str(settings.ca_file)
    control_plane = {f"CONTROL_PLANE_{name}": value for name, value in common.items()}
    if settings.tls_files is None:
        control_plane["CONTROL_PLANE_CA_BUNDLE"] = str(settings.ca_bundle)
    if settings.sign_ups_per_hour or settings.is_loopback_only:
        control_plane["CONTROL_PLANE_SIGN_UPS_PER_HOUR"] = str(settings.sign_ups_per_hour or SIGN_UPS_AT_HOME)
    provisioner = {f"PROVISIONER_{name}": value for name, value in common.items()} | {
        "PROVISIONER_GATEWAY_ADDRESS": settings.addresses[0],
        "PROVISIONER_RUNTIME": tenancy.runtime,
    }
    if os.geteuid() == 0:
        provisioner["PROVISIONER_GATEWAY_GROUP"] = str(users.gateway.gid)
    if settings.sleep_after is not None:
        provisioner["PROVISIONER_SLEEP_AFTER"] = f"PT{settings.sleep_after.total_seconds():g}S"
    if tenancy.image:
        provisioner["PROVISIONER_TENANT_IMAGE"] = tenancy.image
    if tenancy.python:
        provisioner["PROVISIONER_TENANT_PYTHON"] = str(tenancy.python)
    content = code_fingerprint()
    return [
        _python("control-plane", ["control_plane"], control_plane, content),
        _python("worker", ["provisioner.worker"], provisioner, content, stop_seconds=30),
        _python("waker", ["provisioner.waker"], provisioner, content),
    ]


def environment() -> dict[str, str]:
    """What every program gets of the environment."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"PATH": f"{Path(sys.executable).parent}:{os.defpath}:/usr/sbin:/sbin", "LANG": "C.UTF-8", **kept}


def code_fingerprint() -> str:
    """Changes when the code of Loam's programs, or a package they use, does."""
    words = hashlib.sha256((ROOT / "uv.lock").read_bytes())
    for file in _sources():
        words.update(str(file.relative_to(ROOT)).encode())
        words.update(file.read_bytes())
    return words.hexdigest()


def _sources() -> Iterator[Path]:
    for package in ("control_plane", "provisioner", "shared"):
        for file in sorted((ROOT / package).rglob("*")):
            if file.suffix in SOURCE_SUFFIXES and file.is_file():
                yield file


def _python(
    name: str, module: list[str], variables: dict[str, str], content: str, *, stop_seconds: int = 15
) -> Program:
    command = (sys.executable, "-m", *module)
    return Program(name, command, environment=variables, content=content, stop_seconds=stop_seconds)


def _switch_to(user: User) -> str | None:
    return user.name if os.geteuid() == 0 else None
