"""Serving the control plane: `python -m control_plane`."""

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvicorn

from control_plane.app import create_app
from control_plane.request_log import RequestLog
from control_plane.settings import ControlPlaneSettings, Environment
from control_plane.wiring import connected
from shared.kernel import logs, start_up
from shared.kernel.errors import AppError
from shared.web.draining import Draining

SOCKET_MODE: Final = 0o660
BACKLOG: Final = 512
GRACEFUL_SECONDS: Final = 10
"""How long requests under way may take once the program is asked to stop."""


def main() -> int:
    """Serve on the unix socket that the gateway knows, until SIGTERM."""
    logs.configure("control_plane")
    try:
        settings = ControlPlaneSettings.load()
    except AppError as error:
        return start_up.refused("control_plane", error)
    app = create_app(connected(settings), strict_transport=settings.environment is Environment.PRODUCTION)
    config = uvicorn.Config(
        Draining(RequestLog(app)),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    path = settings.state.api_socket
    listening = listen(path)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()
        with suppress(FileNotFoundError):
            path.unlink()
    return 0


def listen(path: Path) -> socket.socket:
    """The socket, in place of one that an earlier run left behind, for the folder's group."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.unlink()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    with suppress(PermissionError):  # not being root, we own no other group; then the folder's setgid bit has done it
        os.chown(path, -1, path.parent.stat().st_gid)
    path.chmod(SOCKET_MODE)
    listening.listen(BACKLOG)
    return listening


if __name__ == "__main__":
    sys.exit(main())
