"""Node and the MCP clients that come from npm, installed once into a cache outside the checkout."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

SCRIPTS: Final = Path(__file__).parent.parent / "journeys" / "clients" / "node"
BIN: Final = Path(sys.executable).parent
INSTALL_SECONDS: Final = 300


def installed() -> Path:
    """A folder that holds the scripts beside the locked packages; made on first use, shared by later runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "loam" / "clients"
    content = b"".join(path.read_bytes() for path in sorted(SCRIPTS.iterdir()))
    folder = cache / hashlib.sha256(content).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(SCRIPTS, folder)
            done = subprocess.run(
                [BIN / "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder,
                env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"npm could not install the clients: {done.stderr[-2000:]}"
            (folder / "complete").touch()
    return folder
