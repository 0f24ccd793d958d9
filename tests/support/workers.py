"""The worker and the waker as programs of their own, started the way an operator's supervisor starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.contracts.state_folder import StateFolder
from shared.kernel import secret_files
from tests.support import registry as registry_support
from tests.support.waiting import until

STOP_SECONDS: Final = 30
ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Started:
    """One running program."""

    process: subprocess.Popen[bytes]
    log: Path

    def says(self, words: str) -> bool:
        """Whether the log holds these words."""
        assert self.process.poll() is None, f"it has ended:\n{self.text()}"
        return words in self.text()

    def text(self) -> str:
        return self.log.read_text()

    def kill(self) -> None:
        """As the kernel would: no time for anything."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """As a supervisor would; its exit status."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


def write_key_ring(state: StateFolder) -> None:
    """The secrets that `tests.support.registry` signs with."""
    state.secrets.mkdir(mode=0o700, parents=True, exist_ok=True)
    for purpose, secret in (
        (secret_files.SIGNING, registry_support.SIGNING),
        (secret_files.PROBE, registry_support.PROBE),
        (secret_files.BACKUP, registry_support.BACKUP),
    ):
        file = state.secrets / f"{purpose}.{secret.id}.key"
        if not file.exists():
            file.write_bytes(secret.value)
            file.chmod(0o400)


@contextmanager
def program(module: str, settings: Mapping[str, str], log: Path) -> Iterator[Started]:
    """`python -m <module>` with these settings; ended by force if it still runs."""
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONWARNINGS": "error::ResourceWarning"}
    environment |= {f"PROVISIONER_{name}": value for name, value in settings.items()}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env=environment, stdout=output, stderr=output, cwd=ROOT
        )
    try:
        yield Started(process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(STOP_SECONDS)


@contextmanager
def worker(settings: Mapping[str, str], log: Path) -> Iterator[Started]:
    """A worker whose engine runs."""
    with program("provisioner.worker", settings, log) as started:
        until(lambda: started.says("engine runs"), what="the worker's engine", seconds=30)
        yield started


@contextmanager
def waker(settings: Mapping[str, str], log: Path) -> Iterator[Started]:
    """A waker that listens."""
    socket = StateFolder(Path(settings["STATE_DIR"])).waker_socket
    with program("provisioner.waker", settings, log) as started:
        until(lambda: started.process.poll() is not None or socket.exists(), what="the waker's socket", seconds=30)
        yield started
