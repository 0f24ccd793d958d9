"""The Docker engine: use the one that answers, else install and start one where Loam may."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import docker
import docker.errors

from deploy.local import packages
from deploy.local.trouble import Trouble

START_SECONDS: Final = 60.0
STEP_SECONDS: Final = 0.2
SETTINGS: Final = Path("/etc/docker/daemon.json")
LOG: Final = Path("/var/log/loam-dockerd.log")
CALL_SECONDS: Final = 300
"""An image's build is one call."""


def find() -> docker.DockerClient | None:
    """A client of the engine that answers, or `None`."""
    try:
        client = docker.from_env(timeout=CALL_SECONDS)
        client.ping()
    except docker.errors.DockerException:
        return None
    return client


def ensure() -> docker.DockerClient:
    """A client of a running engine, after installing and starting it where need be.

    Raises:
        Trouble: there is none and none may, or could, be made; with what to do.
    """
    found = find()
    if found is not None:
        return found
    if os.environ.get("DOCKER_HOST"):
        raise Trouble(
            f"No Docker engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}.",
            fix="Start it, or unset DOCKER_HOST.",
        )
    if shutil.which("dockerd") is None:
        _install()
    if os.geteuid() != 0:
        raise Trouble(
            "A Docker engine is installed but does not answer.",
            fix="Start it (`sudo systemctl start docker`) and let this user use it (`sudo usermod -aG docker $USER`).",
        )
    return _start()


def _install() -> None:
    if not packages.may_install():
        raise Trouble(
            "There is no Docker engine.",
            fix="Install and start one (on Debian and Ubuntu, as root: apt-get install docker.io iptables).",
        )
    is_ours = not SETTINGS.exists()
    if is_ours:
        # Tenants go on running while the engine is upgraded. Only where the engine is ours: it is the whole machine's.
        SETTINGS.parent.mkdir(parents=True, exist_ok=True)
        SETTINGS.write_text(json.dumps({"live-restore": True, "log-driver": "json-file"}, indent=2) + "\n")
    try:
        # Debian's engine only recommends iptables and cannot start without.
        packages.install(["docker.io", "iptables"])
    except Trouble:
        if is_ours:
            SETTINGS.unlink()
        raise


def _start() -> docker.DockerClient:
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=False, capture_output=True)
    elif find() is None:
        with LOG.open("ab") as log:
            subprocess.Popen(
                [shutil.which("dockerd") or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        found = find()
        if found is not None:
            return found
        time.sleep(STEP_SECONDS)
    tail = LOG.read_text(errors="replace")[-2000:] if LOG.is_file() else None
    raise Trouble(
        "The Docker engine does not start on this machine.",
        fix="See its log; or run tenants as processes with LOAM_RUNTIME=process.",
        detail=tail,
    )


if __name__ == "__main__":
    import sys

    try:
        ensure().close()
    except Trouble as trouble:
        sys.exit(str(trouble))
