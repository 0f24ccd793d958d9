"""The tenants' servers that this stack started: finding and ending them when the stack goes down.

They outlive the programs that started them on purpose, so that nothing but `down` ends them.
"""

import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import docker
import docker.errors
import msgspec
from docker.models.containers import Container

from deploy.local.settings import LocalSettings
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel import product

LABEL: Final = f"{product.NAME}.state"
"""On every tenant's container: the state folder it belongs to."""

SUBSTRATE: Final = f"{product.NAME}.substrate"
"""On it too: whose server it is."""

STOP_SECONDS: Final = 10
AT_ONCE: Final = 8
STEP_SECONDS: Final = 0.05


def containers(client: docker.DockerClient, settings: LocalSettings) -> list[Container]:
    """This stack's containers, running or not."""
    labelled: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={settings.root}"}
    return list(client.containers.list(all=True, filters=labelled, ignore_removed=True))


def silent(settings: LocalSettings) -> list[str]:
    """Slugs whose server should always run and does not serve (yet); shared ones sleep until somebody asks for them."""
    state = settings.state
    return sorted(
        slug.name
        for slug in state.slugs.iterdir()
        if _is_dedicated(state.tenants / slug.read_text().strip() / "host" / "spec")
        and not listens(state.edge / slug.name / "live.sock")
    )


def _is_dedicated(spec: Path) -> bool:
    try:
        return msgspec.json.decode(spec.read_bytes(), type=TenantSpec).placement is Placement.DEDICATED
    except (OSError, msgspec.MsgspecError):
        return False  # it is being made or removed


def listens(path: Path) -> bool:
    """Whether somebody serves on a unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def remove_containers(client: docker.DockerClient, settings: LocalSettings) -> int:
    """Stop and remove this stack's containers; the tenants' data lies in the state folder. How many there were."""
    found = containers(client, settings)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as at_once:
        list(at_once.map(_remove, found))
    return len(found)


def end_processes(settings: LocalSettings) -> int:
    """End tenants that run as processes of this machine. How many there were."""
    found = processes(settings)
    for number in found:
        _send(number, signal.SIGTERM)
    ends = time.monotonic() + STOP_SECONDS
    while processes(settings) and time.monotonic() < ends:
        time.sleep(STEP_SECONDS)
    for number in processes(settings):
        _send(number, signal.SIGKILL)
    return len(found)


def processes(settings: LocalSettings) -> list[int]:
    """Process ids of tenants whose data lies in this state folder: their environment says so."""
    mark = b"TENANT_DATA_DIR=" + os.fsencode(settings.state.tenants) + b"/"
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # another user's, or gone
        if any(variable.startswith(mark) for variable in variables):
            found.append(int(process.name))
    return found


def _remove(container: Container) -> None:
    try:
        container.stop(timeout=STOP_SECONDS)
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != 409:  # noqa: PLR2004 - conflict: its removal is already under way
            raise


def _send(number: int, wanted: signal.Signals) -> None:
    try:
        os.kill(number, wanted)
    except ProcessLookupError:
        return
