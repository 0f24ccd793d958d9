"""Tenants' servers in containers: carries out what `docker_spec` describes.

The SDK blocks, so every call runs in a thread; every call has a time limit. A limit that passes says nothing about
what the engine did: the next try looks first.
"""

import asyncio
import resource
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container

from provisioner.runtimes import docker_spec
from provisioner.runtimes.runtime import CannotRun, Launch, RuntimeAway
from provisioner.threads import in_thread
from shared.kernel.ids import SubstrateId

T = TypeVar("T")

CALL_SECONDS: Final = 30
STARTS_AT_A_TIME: Final = 4
"""More of them on few cores only make each other slow."""

ALIVE: Final = ("running", "restarting")
CONFLICT: Final = 409
REMOVAL_SECONDS: Final = 20.0
REMOVAL_PAUSE: Final = 0.05


class DockerRuntime:
    """See `provisioner.runtimes.runtime.Runtime`."""

    def __init__(self, image: str, state: Path, *, client: docker.DockerClient | None = None) -> None:
        """`image` is a reference that the engine has; `state` tells this stack's containers from another's."""
        self._image = image
        self._state = state
        self._given = client
        self._connecting = threading.Lock()
        self._starts = asyncio.Semaphore(STARTS_AT_A_TIME)

    async def ensure_running(self, launch: Launch) -> None:
        """See `Runtime.ensure_running`."""
        async with self._starts:
            await self._call(lambda: self._ensure_running(launch))

    async def apply_limits(self, launch: Launch) -> None:
        """See `Runtime.apply_limits`."""
        await self._call(lambda: self._apply_limits(launch))

    async def ensure_absent(self, substrate: SubstrateId) -> None:
        """See `Runtime.ensure_absent`."""
        await self._call(lambda: self._ensure_absent(substrate))

    async def is_running(self, substrate: SubstrateId) -> bool:
        """See `Runtime.is_running`."""
        return await self._call(lambda: self._is_running(substrate))

    async def list_all(self) -> dict[SubstrateId, bool]:
        """See `Runtime.list_all`."""
        return await self._call(self._list_all)

    async def tidy(self) -> None:
        """The engine bounds logs itself."""

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await in_thread(call)
        except ImageNotFound as error:
            raise CannotRun(f"the engine does not have the image {self._image}") from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise RuntimeAway(f"the engine did not do it: {type(error).__name__}: {error}") from error
        except (RuntimeAway, CannotRun):
            raise
        except Exception as error:
            # An engine in the middle of a restart, or a proxy before it, answers with something of another form, for
            # which the SDK has no exception of its own.
            raise RuntimeAway(f"the engine's answer makes no sense: {type(error).__name__}") from error

    @property
    def _client(self) -> docker.DockerClient:
        """Made at the first call, which asks the engine for its version: a worker starts before its engine does."""
        with self._connecting:
            if self._given is None:
                self._given = docker.from_env(timeout=CALL_SECONDS)
            return self._given

    def _ensure_running(self, launch: Launch) -> None:
        spec = launch.spec
        found = self._find(spec.substrate)
        if found is not None:
            generation = docker_spec.generation_of(found.labels)
            if found.status == "running" and generation >= spec.generation:
                return
            self._remove(found)
        try:
            made = self._client.containers.create(**docker_spec.container(launch, self._image, self._state))
        except APIError as error:
            if error.status_code != CONFLICT:
                raise
            # A call whose answer nobody heard has made it meanwhile. Which one it is, the next try looks at.
            raise RuntimeAway("a container of this name has just appeared") from error
        made.start()

    def _apply_limits(self, launch: Launch) -> None:
        found = self._find(launch.spec.substrate)
        if found is not None and found.status == "running":
            found.update(**docker_spec.limits(launch.spec))
            _bound_files(found, launch)

    def _ensure_absent(self, substrate: SubstrateId) -> None:
        found = self._find(substrate)
        if found is not None:
            self._remove(found)

    def _is_running(self, substrate: SubstrateId) -> bool:
        found = self._find(substrate)
        return found is not None and found.status == "running"

    def _list_all(self) -> dict[SubstrateId, bool]:
        # `sparse` asks the engine once, not once a container; one that vanishes meanwhile breaks nothing.
        containers = self._client.containers.list(all=True, sparse=True, filters=docker_spec.filters(self._state))
        return {
            SubstrateId(found.attrs["Labels"][docker_spec.LABEL_SUBSTRATE]): found.attrs["State"] in ALIVE
            for found in containers
        }

    def _find(self, substrate: SubstrateId) -> Container | None:
        try:
            return self._client.containers.get(docker_spec.name_for(substrate))
        except NotFound:
            return None

    def _remove(self, found: Container) -> None:
        """Stop it gently, then remove it; wait until the engine has really forgotten its name."""
        ends = time.monotonic() + REMOVAL_SECONDS
        try:
            if found.status == "running":
                found.stop(timeout=docker_spec.STOP_SECONDS)
            found.remove(force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != CONFLICT:  # its removal is under way already
                raise
        while self._is_known(found):
            if time.monotonic() > ends:
                raise RuntimeAway(f"the engine does not finish removing {found.name}")
            time.sleep(REMOVAL_PAUSE)

    def _is_known(self, found: Container) -> bool:
        try:
            found.reload()
        except NotFound:
            return False
        return True


def _bound_files(found: Container, launch: Launch) -> None:
    """The largest file it may write: the engine sets it at the start only, the kernel at any time.

    Only root may raise it; elsewhere it stays as it was until the server is started anew.
    """
    pid = int(found.attrs["State"]["Pid"])
    most = docker_spec.file_bytes(launch.spec)
    with suppress(OSError):
        # An engine on another machine, or a pid that is another's by now: nobody else runs as this user.
        if pid and Path(f"/proc/{pid}").stat().st_uid == launch.uid:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))
