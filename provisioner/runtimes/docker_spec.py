"""What the Docker SDK is asked for: plain values, testable without an engine. Nothing here can act.

Assume the process inside is taken over. It has no network at all, a read-only root, no capabilities, one user id that
nobody else on the host has, and five folders.
"""

from pathlib import Path
from typing import Any, Final, TypedDict

from provisioner.runtimes.runtime import Launch
from provisioner.runtimes.tenant_environment import inside_container
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.ids import SubstrateId
from shared.kernel.product import NAME

LABEL_SUBSTRATE: Final = f"{NAME}.substrate"
LABEL_SLUG: Final = f"{NAME}.slug"
LABEL_GENERATION: Final = f"{NAME}.generation"
LABEL_STATE: Final = f"{NAME}.state"
"""The state folder: two stacks on one engine must not sweep each other's containers."""

MB: Final = 1024 * 1024
CPU_PERIOD: Final = 100_000
"""Microseconds: the kernel's default for CFS bandwidth control."""

PIDS: Final = 128
OPEN_FILES: Final = 1024
STOP_SECONDS: Final = 10
"""Between SIGTERM and SIGKILL: a save that has begun ends within it."""

FILE_SHARE: Final = 2
"""No single file may grow beyond this share of the storage: the database's write-ahead log is a second file."""

TMP: Final = "rw,noexec,nosuid,nodev,size=16m,mode=1777"


def name_for(substrate: SubstrateId) -> str:
    """Derived, never stored: a retried step meets the same container again."""
    return f"{NAME}-{substrate}"


def filters(state: Path) -> dict[str, str | list[str] | bool]:
    """Finds the containers of one state folder."""
    return {"label": [f"{LABEL_STATE}={state}"]}


def generation_of(labels: dict[str, str]) -> int:
    """The generation a container was made for; one without a readable label is older than any."""
    found = labels.get(LABEL_GENERATION, "")
    return int(found) if found.isascii() and found.isdigit() else 0


def container(launch: Launch, image: str, state: Path) -> dict[str, Any]:
    """What is created. CPU is not limited yet: an unlimited start takes 0.3 s less, and `limits` follow at once.

    Memory is limited from the start, because a server that runs away must not take the host along.

    `unless-stopped` lets the engine alone bring tenants back after a reboot, with the control plane and the worker
    off. Nothing fights it: a server that shall not run has no container at all.
    """
    spec, folders = launch.spec, launch.folders
    return {
        "image": image,
        "name": name_for(spec.substrate),
        "labels": {
            LABEL_SUBSTRATE: spec.substrate,
            LABEL_SLUG: spec.slug,
            LABEL_GENERATION: str(spec.generation),
            LABEL_STATE: str(state),
        },
        "user": f"{launch.uid}:{launch.uid}",
        "environment": inside_container(spec),
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ipc_mode": "private",
        "pids_limit": PIDS,
        "mem_limit": spec.memory_mb * MB,
        "memswap_limit": spec.memory_mb * MB,
        "ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "fsize", "Soft": file_bytes(spec), "Hard": file_bytes(spec)},
        ],
        "tmpfs": {"/tmp": TMP},  # noqa: S108 - inside the container, and nobody else's
        "mounts": [
            mount(folders.data, "/data"),
            mount(folders.keys, "/keys"),
            mount(folders.host, "/host", read_only=True),
            mount(folders.control, "/run/control"),
            mount(folders.edge, "/run/edge"),
        ],
        "log_config": {"Type": "local", "Config": {"max-size": "5m", "max-file": "2"}},
        "restart_policy": {"Name": "unless-stopped"},
        "init": False,
    }


def mount(source: Path, target: str, *, read_only: bool = False) -> dict[str, Any]:
    """A folder of the host's. As a mount and not as a bind, which would make a missing folder, and make it root's."""
    return {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": read_only}


class ContainerLimits(TypedDict):
    """What the engine can change while a container runs."""

    cpu_period: int
    cpu_quota: int
    mem_limit: int
    memswap_limit: int


def limits(spec: TenantSpec) -> ContainerLimits:
    """What the running container is updated to."""
    return {
        "cpu_period": CPU_PERIOD,
        "cpu_quota": int(spec.cpus * CPU_PERIOD),
        "mem_limit": spec.memory_mb * MB,
        "memswap_limit": spec.memory_mb * MB,
    }


def file_bytes(spec: TenantSpec) -> int:
    """The largest file the server may write."""
    return spec.storage_bytes * FILE_SHARE
