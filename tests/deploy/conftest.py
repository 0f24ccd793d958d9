"""A local stack's services without Loam's own programs, in a folder and on ports of the test's own."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import programs, stack
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor
from tests.support import ports


@dataclass(frozen=True, slots=True)
class Services:
    """What runs."""

    settings: LocalSettings
    supervisor: Supervisor
    programs: list[programs.Program]

    def start(self) -> None:
        """As `up` does with them."""
        self.supervisor.ensure(self.programs)
        stack.start_services(self.settings, self.supervisor, lambda _: None)

    def restart_with(self, settings: LocalSettings) -> None:
        """As `up` does once a setting has changed."""
        self.supervisor.ensure(programs.services(settings, stack.prepare(settings)))
        stack.start_services(settings, self.supervisor, lambda _: None)


@pytest.fixture
def settings(state_dir: Path) -> LocalSettings:
    """A stack's settings that collide with nobody's."""
    return LocalSettings(state_dir=state_dir, https_port=ports.free_port(), http_port=ports.free_port())


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """PostgreSQL, Redis and the gateway under a supervisor."""
    folder = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    settings = LocalSettings(state_dir=folder, https_port=ports.free_port(), http_port=ports.free_port())
    staff = stack.prepare(settings)
    running = Services(settings, Supervisor(settings), programs.services(settings, staff))
    try:
        running.start()
        yield running
    finally:
        stack.reset(settings, lambda _: None)
