"""Tenants' servers as plain processes, for machines without a container engine.

The same server, folders and sockets. As root each tenant has a user of its own; without root a tenant's server could
read its neighbours' memories. So this is said loudly, and refused in production.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import Final

from provisioner.runtimes import process_spec, processes
from provisioner.runtimes.process_spec import LOG_BYTES, STOP_SECONDS
from provisioner.runtimes.processes import Found
from provisioner.runtimes.runtime import CannotRun, Launch, RuntimeAway
from provisioner.threads import in_thread
from shared.contracts.state_folder import StateFolder
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger

log = logger(__name__)

SPAWN_SECONDS: Final = 10
SEEN_SECONDS: Final = 5.0
SEEN_PAUSE: Final = 0.005


class RuntimeNotForProduction(AppError):
    """The process runtime isolates too little for strangers' data."""

    code = "runtime_not_for_production"
    status = 500
    public = "The runtime “process” isolates tenants too little for production."
    next_action = "Install a Docker engine and set PROVISIONER_RUNTIME=docker."


class ProcessRuntime:
    """See `provisioner.runtimes.runtime.Runtime`."""

    def __init__(self, interpreter: Path, state: StateFolder, *, production: bool) -> None:
        """`interpreter` is a Python that finds the server's code and packages.

        Raises:
            RuntimeNotForProduction: see there.
        """
        if production:
            raise RuntimeNotForProduction
        self._interpreter = interpreter
        self._state = state
        self._root = os.geteuid() == 0
        log.warning("tenants run as plain processes: this isolates little", own_user_for_each=self._root)

    async def ensure_running(self, launch: Launch) -> None:
        """See `Runtime.ensure_running`."""
        await in_thread(self._ensure_running, launch)

    async def apply_limits(self, launch: Launch) -> None:
        """See `Runtime.apply_limits`."""
        await in_thread(self._apply_limits, launch)

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        """See `Runtime.ensure_absent`."""
        await in_thread(self._ensure_absent, substrate)

    async def is_running(self, substrate: SubstrateId) -> bool:
        """See `Runtime.is_running`."""
        return bool(await in_thread(self._of, substrate))

    async def list_all(self) -> dict[SubstrateId, bool]:
        """See `Runtime.list_all`."""
        found = await in_thread(self._tenants)
        return {_substrate_of(process): True for process in found}

    async def tidy(self) -> None:
        """Cut logs that have grown too long."""
        await in_thread(self._bound_logs)

    def _ensure_running(self, launch: Launch) -> None:
        running = self._of(launch.spec.substrate)
        if any(_generation_of(process) >= launch.spec.generation for process in running):
            return
        self._end(running)
        if not os.access(self._interpreter, os.X_OK):
            raise CannotRun(f"there is no interpreter at {self._interpreter}")
        self._spawn(launch)
        self._see_it_run(launch.spec.substrate)

    def _spawn(self, launch: Launch) -> None:
        path = self._log_of(launch.spec.substrate)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("ab") as output:
            try:
                # `setsid --fork` ends at once; the server it leaves behind is nobody's child.
                subprocess.run(
                    process_spec.command(launch, self._interpreter, root=self._root),
                    env=process_spec.environment(launch),
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=True,
                    timeout=SPAWN_SECONDS,
                )
            except (subprocess.SubprocessError, OSError) as error:
                raise RuntimeAway(f"the process could not be started: {type(error).__name__}") from error

    def _see_it_run(self, substrate: SubstrateId) -> None:
        """Wait for the last of the programs on the command line.

        Between two of them a process has no environment, and whoever looked then would start a second server.
        """
        ends = time.monotonic() + SEEN_SECONDS
        while not any(process.program == str(self._interpreter) for process in self._of(substrate)):
            if time.monotonic() > ends:
                raise RuntimeAway("the process ended as soon as it had started; its log says why")
            time.sleep(SEEN_PAUSE)

    def _apply_limits(self, launch: Launch) -> None:
        limits = [f"--{name}={value}:{value}" for name, value in process_spec.rlimits(launch.spec).items()]
        for process in self._of(launch.spec.substrate):
            subprocess.run(["prlimit", "--pid", str(process.pid), *limits], check=False, timeout=SPAWN_SECONDS)

    def _ensure_absent(self, substrate: SubstrateId) -> None:
        self._end(self._of(substrate))
        self._end(self._stragglers(substrate))
        self._log_of(substrate).unlink(missing_ok=True)

    def _end(self, running: list[Found]) -> None:
        for process in running:
            if not processes.end(process, STOP_SECONDS):
                raise RuntimeAway("a process does not end")

    def _stragglers(self, substrate: SubstrateId) -> list[Found]:
        """Whatever the tenant's user has started besides; without users of their own nobody can tell."""
        if not self._root:
            return []
        try:
            owner = (self._state.tenants / substrate).stat().st_gid
        except FileNotFoundError:
            return []
        return [process for process in processes.list_running() if process.uid == owner != 0]

    def _of(self, substrate: SubstrateId) -> list[Found]:
        return [process for process in self._tenants() if _substrate_of(process) == substrate]

    def _tenants(self) -> list[Found]:
        found = processes.list_running()
        return [process for process in found if self._is_genuine(process)]

    def _is_genuine(self, process: Found) -> bool:
        """Whether it is what its environment says: a tenant can start processes that claim to be a neighbour's."""
        if not process_spec.is_of(process.environment, self._state.tenants):
            return False
        if not self._root:
            return process.uid == os.geteuid()
        try:
            owner = (self._state.tenants / _substrate_of(process)).stat().st_gid
        except FileNotFoundError:
            return True  # its folders are gone, so nobody's server may run under this name
        return process.uid in {owner, 0}  # root's while it starts and has not given root up

    def _log_of(self, substrate: SubstrateId) -> Path:
        return self._state.root / "logs" / f"tenant-{substrate}.log"

    def _bound_logs(self) -> None:
        for path in (self._state.root / "logs").glob("tenant-*.log"):
            if path.stat().st_size > LOG_BYTES:
                os.truncate(path, 0)  # it is written in append mode, so the next line goes to the new end


def _substrate_of(process: Found) -> SubstrateId:
    return SubstrateId(process.environment["TENANT_SUBSTRATE"])


def _generation_of(process: Found) -> int:
    found = process.environment.get(process_spec.GENERATION, "")
    return int(found) if found.isascii() and found.isdigit() else 0
