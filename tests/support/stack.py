"""A whole Loam on this machine, brought up by the command that operators type, in a state folder of its own."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.kernel.ids import Slug, SubstrateId
from tests.support import ports
from tests.support.customer import Customer, Instance

LOAM: Final = str(Path(sys.executable).parent / "loam")
UP_SECONDS: Final = 400
DOWN_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs, and how to speak to it."""

    state: StateFolder
    environment: dict[str, str]
    info: dict[str, Any]

    @property
    def ca_file(self) -> Path:
        """The private CA's certificate."""
        return Path(self.info["ca_file"])

    @property
    def https_port(self) -> int:
        """Where the gateway listens."""
        return int(self.environment["LOAM_HTTPS_PORT"])

    @property
    def http_port(self) -> int:
        """Where plain HTTP is refused."""
        return int(self.environment["LOAM_HTTP_PORT"])

    def customer(self) -> Customer:
        """Somebody new."""
        return Customer(self.info["api_url"], self.ca_file)

    def folders(self, instance: Instance) -> TenantFolders:
        """A tenant's folders on the host."""
        return self.state.tenant(SubstrateId(instance.id), Slug(instance.slug))

    def loam(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The command line tool, as the operator of this stack."""
        done = subprocess.run(
            [LOAM, *arguments],
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, f"loam {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def is_ready(self) -> bool:
        """Whether the control plane says that it can work."""
        with httpx.Client(verify=ssl.create_default_context(cafile=str(self.ca_file))) as http:
            return http.get(f"{self.info['api_url']}/readyz").status_code == httpx.codes.OK

    def supervisor(self, action: str, program: str) -> str:
        """Stop, start or look at one of the programs."""
        done = subprocess.run(
            [
                LOAM.replace("/loam", "/supervisorctl"),
                "-c",
                str(self.state.root / "run" / "supervisord.conf"),
                action,
                program,
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    @contextmanager
    def without(self, program: str) -> Iterator[None]:
        """The stack while one of its programs is stopped."""
        stopped = self.supervisor("stop", program)
        assert "stopped" in stopped, stopped
        try:
            yield
        finally:
            self.supervisor("start", program)


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """A stack, taken down and forgotten at the end. `settings` are the operator's, without their prefix."""
    folder = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    folder.chmod(0o755)
    environment = {
        "LOAM_STATE_DIR": str(folder),
        "LOAM_HTTPS_PORT": str(ports.free_port()),
        "LOAM_HTTP_PORT": str(ports.free_port()),
        **{f"LOAM_{name.upper()}": value for name, value in settings.items()},
    }
    stack = Stack(StateFolder(folder), environment, {})
    try:
        stack.loam("up", "--no-demo")
        yield Stack(stack.state, environment, json.loads(stack.loam("info", "--json").stdout))
    finally:
        stack.loam("reset", "--yes", check=False)
        shutil.rmtree(folder, ignore_errors=True)
