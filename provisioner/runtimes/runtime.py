"""What every runtime can do. One conformance suite holds all of them to it.

Everything is idempotent and looks before it acts: a call may be repeated after one whose answer nobody heard. The
caller holds the substrate's lock on this host.
"""

from dataclasses import dataclass
from typing import Protocol

from shared.contracts.state_folder import TenantFolders
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.ids import SubstrateId


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a server is started from: plain values."""

    spec: TenantSpec
    folders: TenantFolders
    uid: int
    """The user and group it runs as."""


class RuntimeAway(Exception):
    """The engine does not answer, or refuses for a reason that may pass. The text is for the log."""


class CannotRun(Exception):
    """Trying again cannot help: the image or the interpreter is not there. The text is for the log."""


class Runtime(Protocol):
    """Runs tenants' servers on this host."""

    async def ensure_running(self, launch: Launch) -> None:
        """Its server runs, of this generation or a later one, with its memory limit and without a limit on CPU.

        A server of an earlier generation is replaced; one that has stopped is made anew.
        """
        ...

    async def apply_limits(self, launch: Launch) -> None:
        """The running server has the limits of its spec. Nothing happens when none runs."""
        ...

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        """No server of it runs, and nothing of it is left in the engine."""
        ...

    async def is_running(self, substrate: SubstrateId) -> bool:
        """Whether its server runs."""
        ...

    async def list_all(self) -> dict[SubstrateId, bool]:
        """Everyone of whom the engine has anything, and whether it runs or is being restarted by the engine."""
        ...

    async def tidy(self) -> None:
        """Whatever the engine does not do by itself, such as keeping logs small. Called now and then."""
        ...
