"""`python -m data_plane`: a tenant's server."""

import os
import sys

from data_plane.lean import leave_out_unused

leave_out_unused()

import uvloop  # noqa: E402 - after what keeps the rest small

from data_plane.server import run  # noqa: E402 - likewise
from data_plane.settings import TenantSettings  # noqa: E402 - likewise
from shared.kernel import logs  # noqa: E402 - likewise
from shared.kernel.errors import AppError  # noqa: E402 - likewise

OWNER_ONLY = 0o077
"""What is taken away from every file the server makes; sockets are opened up where they are made."""


def main() -> int:
    """Serve until SIGTERM. 78 (EX_CONFIG of sysexits.h) when the settings are wrong."""
    try:
        settings = TenantSettings.load()
    except AppError as refused:
        sys.stderr.write(f"{refused.detail} {refused.next_step}\n")
        return 78
    os.umask(OWNER_ONLY)
    logs.configure("data_plane", level=settings.log_level)
    uvloop.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
