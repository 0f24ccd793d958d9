"""The waker: `python -m provisioner.waker`. Serves on a unix socket that only the gateway's group may open."""

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Final

import uvicorn

from provisioner.settings import ProvisionerSettings
from provisioner.waker.app import create
from provisioner.waker.desk import Desk
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
    except AppError as error:
        return start_up.refused("waker", error)
    logs.configure("waker", level=settings.log_level)
    state = StateFolder(settings.state_dir)
    listening = listen(state.waker_socket, settings.gateway_group)
    app = create(Desk(state, settings.domain, SystemClock()))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=GRACE_SECONDS
    )
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
    return 0


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
