"""The waker: `python -m provisioner.waker`. Serves on a unix socket that only the gateway's group may open."""

import asyncio
import logging
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final

import uvicorn

from provisioner.places.places import Places
from provisioner.runtime_choice import runtime_of
from provisioner.runtimes.runtime import Runtime
from provisioner.settings import ProvisionerSettings
from provisioner.tenant_client import TenantClient
from provisioner.waker.app import create
from provisioner.waker.desk import Desk
from provisioner.waker.rouser import Rouser
from provisioner.waker.wakes import Wakes
from shared.contracts.state_folder import StateFolder
from shared.kernel import logs, start_up
from shared.kernel.clock import SystemClock
from shared.kernel.errors import AppError

BACKLOG: Final = 512
GRACE_SECONDS: Final = 5


def main() -> int:
    """Serve until SIGTERM."""
    try:
        settings = ProvisionerSettings.load()
        runtime = runtime_of(settings)
    except AppError as error:
        return start_up.refused("waker", error)
    logs.configure("waker", level=settings.log_level)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each look at a socket
    asyncio.run(serve(settings, runtime))
    return 0


async def serve(settings: ProvisionerSettings, runtime: Runtime) -> None:
    """Answer until SIGTERM; wakes that have begun are finished, as they hold locks and have changed the host."""
    state, clock = StateFolder(settings.state_dir), SystemClock()
    desk = Desk(state, settings.domain, clock)
    places = Places(state, clock, gateway_gid=settings.gateway_group)
    rouser = Rouser(desk, places, runtime, TenantClient(), clock)
    wakes = Wakes(rouser.rouse, rouser.settle, clock, most=settings.starts_at_a_time, waiting=settings.starts_waiting)
    listening = listen(state.waker_socket, settings.gateway_group)
    config = uvicorn.Config(
        create(desk, wakes), log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=GRACE_SECONDS
    )
    finishing = asyncio.create_task(rouser.finish_what_was_cut())
    await uvicorn.Server(config).serve(sockets=[listening])
    await finishing
    await wakes.finish()


def listen(path: Path, gateway_group: int | None) -> socket.socket:
    """A socket at this path, replacing one that an earlier waker has left; open to the gateway's group."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(aside))
    if gateway_group is not None and os.geteuid() == 0:
        os.chown(aside, -1, gateway_group)
        if path.parent.stat().st_gid != gateway_group:
            os.chown(path.parent, -1, gateway_group)
    aside.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)
    listening.listen(BACKLOG)
    aside.replace(path)  # only now does the name lead here: nobody ever finds a socket that is not served
    return listening


if __name__ == "__main__":
    sys.exit(main())
