"""The log of a program or of a tenant's server: files for programs and processes, the engine's for containers."""

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from docker.models.containers import Container

from deploy.local import docker_engine, tenants
from deploy.local.programs import NAMES
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble


def show(settings: LocalSettings, name: str, write: Callable[[bytes], object], *, lines: int, follow: bool) -> None:
    """Hand the last lines over, and with `follow` those to come too.

    Raises:
        Trouble: there is no such log.
    """
    path = file_of(settings, name)
    if path is not None:
        words = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tail:
            for line in tail.stdout or ():
                write(line)
        return
    client = docker_engine.find()
    if client is not None:
        with closing(client):
            for container in tenants.containers(client, settings):
                if container.labels.get(tenants.SUBSTRATE) == name:
                    _copy(container, write, lines=lines, follow=follow)
                    return
    raise Trouble(
        f"There is no log of “{name}”.",
        fix=f"Programs are {', '.join(NAMES)}; a tenant is named by its id, as `loam substrates list` shows it.",
    )


def file_of(settings: LocalSettings, name: str) -> Path | None:
    """The file that a program, or a tenant that runs as a process, writes to."""
    if os.sep in name:
        return None
    candidates = (settings.logs / f"{name}.log", settings.logs / f"tenant-{name}.log")
    return next((path for path in candidates if path.is_file()), None)


def _copy(container: Container, write: Callable[[bytes], object], *, lines: int, follow: bool) -> None:
    if not follow:
        write(bytes(container.logs(tail=lines)))
        return
    for part in container.logs(tail=lines, stream=True, follow=True):
        write(part)
