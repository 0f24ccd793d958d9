"""A running gateway for tests: the same command that the supervisor starts."""

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from deploy.gateway import launch
from deploy.local import users
from tests.support import ports, waiting

DOMAIN = "loam.localhost"


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that answers."""

    gateway: launch.Gateway
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, host: str, path: str = "/", *, method: str = "GET", **more: Any) -> httpx.Response:
        """Send a request over TLS, checking the certificate, without needing the name to resolve."""
        with self.asking(host, path, method=method, **more) as answer:
            answer.read()
            return answer

    @contextmanager
    def asking(self, host: str, path: str = "/", *, method: str = "GET", **more: Any) -> Iterator[httpx.Response]:
        """As `ask`, with the answer still to be read."""
        context = ssl.create_default_context(cafile=str(self.gateway.authority))
        headers = {"Host": f"{more.pop('host_header', host)}:{self.gateway.https_port}", **more.pop("headers", {})}
        url = f"https://127.0.0.1:{self.gateway.https_port}{path}"
        names = {"sni_hostname": host}
        with (
            httpx.Client(verify=context, trust_env=False, timeout=15) as client,
            client.stream(method, url, headers=headers, extensions=names, **more) as answer,
        ):
            yield answer


@contextmanager
def running(state: Path, *, confined: bool, environment_name: str = launch.DEVELOPMENT) -> Iterator[RunningGateway]:
    """Start a gateway over `<state>/edge`, and stop it."""
    gateway = launch.Gateway(
        domain=DOMAIN,
        https_port=ports.free_port(),
        http_port=ports.free_port(),
        bind=("127.0.0.1",),
        edge=state / "edge",
        storage=state / "gateway",
        mount_point=state / "gateway-root",
        environment_name=environment_name,
    )
    for folder in (gateway.edge, gateway.storage, gateway.mount_point):
        folder.mkdir(parents=True, exist_ok=True)
    # A home folder may be closed to the gateway's user; the local stack copies the program for the same reason.
    caddy = Path(shutil.copy2(launch.caddy_program(), state / "caddy"))
    command = gateway.command(caddy)
    if confined:
        user = users.ensure(users.GATEWAY)
        for folder in (gateway.storage,):
            os.chown(folder, user.uid, user.gid)
        command = gateway.confined_command(caddy, uid=user.uid, gid=user.gid)
    log = state / "gateway.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **gateway.environment()}, stdout=output, stderr=output)
    try:
        started = RunningGateway(gateway, process, log)
        waiting.until(lambda: _answers(started), what="the gateway to answer", seconds=20)
        yield started
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(started: RunningGateway) -> bool:
    if started.process.poll() is not None:
        raise AssertionError(f"the gateway ended:\n{started.log.read_text()[-3000:]}")
    try:
        return started.ask(f"nothing.{DOMAIN}").status_code == httpx.codes.NOT_FOUND
    except (OSError, httpx.TransportError):
        time.sleep(0.05)
        return False
