"""Every runtime, for the one suite that holds them all to their promises."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import docker
import pytest
from docker.errors import NotFound

from provisioner.places.places import Places
from provisioner.runtimes import docker_spec
from provisioner.runtimes.docker_runtime import DockerRuntime
from provisioner.runtimes.process_runtime import ProcessRuntime
from provisioner.runtimes.runtime import Launch, Runtime
from shared.contracts.state_folder import StateFolder
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.clock import SystemClock
from shared.kernel.ids import RandomIds, SubstrateId
from tests.support.policies import PolicyBuilder, trust_json
from tests.support.runtimes import FakeRuntime

UIDS: Final = iter(range(700_000, 800_000))


@dataclass(slots=True)
class Bench:
    """A runtime and a state folder to run tenants in."""

    runtime: Runtime
    state: StateFolder
    places: Places
    made: list[SubstrateId] = field(default_factory=list)

    async def tenant(self, *, generation: int = 1) -> Launch:
        """A tenant with folders and policy, ready to be started."""
        substrate, slug = SubstrateId(RandomIds().new("sub")), RandomIds().slug()
        spec = TenantSpec(
            substrate=substrate,
            slug=slug,
            uid=next(UIDS),
            placement=Placement.SHARED,
            memory_mb=256,
            cpus=0.5,
            storage_bytes=100 * 1024 * 1024,
            generation=generation,
        )
        self.made.append(substrate)
        await self.places.prepare()
        await self.places.make_lockable(spec)
        await self.places.make(spec)
        folders = self.places.folders_of(spec)
        builder = PolicyBuilder.with_key().changed(substrate=substrate, slug=slug)
        for path, content in ((folders.trust, trust_json()), (folders.policy, builder.signed().encode())):
            path.write_bytes(content)
            if os.geteuid() == 0:
                os.chown(path, 0, spec.uid)
            path.chmod(0o440)
        return Launch(spec=spec, folders=folders, uid=self.places.uid_of(spec))


@pytest.fixture(
    params=[
        "fake",
        "process",
        pytest.param("docker", marks=pytest.mark.containers),
    ]
)
def bench(request: pytest.FixtureRequest, state_dir: Path) -> Iterator[Bench]:
    """One of the runtimes, with everything of it removed afterwards."""
    state = StateFolder(state_dir)
    made = Bench(_runtime(request, state), state, Places(state, SystemClock(), gateway_gid=os.getegid()))
    yield made
    match request.param:
        case "process":
            for substrate in made.made:
                made.runtime._ensure_absent(substrate)  # type: ignore[attr-defined]
        case "docker":
            engine: docker.DockerClient = request.getfixturevalue("docker_engine")
            for substrate in made.made:
                try:
                    engine.containers.get(docker_spec.name_for(substrate)).remove(force=True)
                except NotFound:
                    continue


def _runtime(request: pytest.FixtureRequest, state: StateFolder) -> Runtime:
    match request.param:
        case "docker":
            engine: docker.DockerClient = request.getfixturevalue("docker_engine")
            return DockerRuntime(request.getfixturevalue("tenant_image"), state.root, client=engine)
        case "process":
            return ProcessRuntime(Path(sys.executable), state, production=False)
        case _:
            return FakeRuntime()
