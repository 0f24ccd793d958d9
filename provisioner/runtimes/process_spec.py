"""The command line of a tenant's server as a plain process: values only. Nothing here can act.

Three small programs of util-linux, which every Debian has, do in order what the container's engine would: `setsid`
detaches, so that a restarted worker leaves the server alone; `prlimit` bounds; `setpriv` gives up root for good.
"""

from pathlib import Path
from typing import Final

from provisioner.runtimes.runtime import Launch
from provisioner.runtimes.tenant_environment import on_host
from shared.contracts.tenant_spec import TenantSpec

GENERATION: Final = "LOAM_GENERATION"
"""In the environment, so that a running server tells what it was started for."""

MB: Final = 1024 * 1024
OPEN_FILES: Final = 1024
FILE_SHARE: Final = 2
"""See `docker_spec.FILE_SHARE`."""

STOP_SECONDS: Final = 10.0
LOG_BYTES: Final = 5 * MB

PATH: Final = "/usr/bin:/bin"


def command(launch: Launch, interpreter: Path, *, root: bool) -> list[str]:
    """What is executed."""
    limits = [f"--{name}={value}:{value}" for name, value in rlimits(launch.spec).items()]
    user = str(launch.uid)
    drop = (
        ["--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"] if root else []
    )
    return [
        *("setsid", "--fork"),
        *("prlimit", *limits),
        *("setpriv", "--no-new-privs", *drop),
        *(str(interpreter), "-OO", "-m", "data_plane"),
    ]


def environment(launch: Launch) -> dict[str, str]:
    """All that the server inherits: nothing of the worker's, which holds the registry's password."""
    return {
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        GENERATION: str(launch.spec.generation),
        **on_host(launch.spec, launch.folders),
    }


def rlimits(spec: TenantSpec) -> dict[str, int]:
    """Limits by `prlimit`'s names. Memory is what it allocates, not what it maps; CPU cannot be limited this way."""
    return {
        "nofile": OPEN_FILES,
        "core": 0,
        "fsize": spec.storage_bytes * FILE_SHARE,
        "data": spec.memory_mb * MB,
    }


def is_of(found: dict[str, str], data_root: Path) -> bool:
    """Whether a process with this environment is a tenant's server under this state folder."""
    substrate = found.get("TENANT_SUBSTRATE")
    return bool(substrate) and found.get("TENANT_DATA_DIR") == str(data_root / str(substrate) / "data")
