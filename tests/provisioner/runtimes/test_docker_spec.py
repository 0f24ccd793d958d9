"""What the engine is asked for, as plain values: a container that may be taken over and can do little."""

from pathlib import Path

import docker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.places.places import Places
from provisioner.runtimes import docker_spec
from provisioner.runtimes.docker_runtime import DockerRuntime
from provisioner.runtimes.runtime import CannotRun, Launch, RuntimeAway
from shared.contracts.state_folder import StateFolder
from shared.contracts.tenant_spec import Placement, TenantSpec
from shared.kernel.clock import SystemClock
from shared.kernel.ids import Slug, SubstrateId
from shared.plans import PLANS
from tests.provisioner.runtimes.conftest import Bench

STATE = StateFolder(Path("/state"))


def launch(memory_mb: int = 256, cpus: float = 0.5, storage_bytes: int = 1000) -> Launch:
    spec = TenantSpec(
        substrate=SubstrateId("sub_a"),
        slug=Slug("abcdefghij"),
        uid=200_001,
        placement=Placement.SHARED,
        memory_mb=memory_mb,
        cpus=cpus,
        storage_bytes=storage_bytes,
        generation=3,
    )
    return Launch(spec=spec, folders=STATE.tenant(spec.substrate, spec.slug), uid=spec.uid)


def asked() -> dict[str, object]:
    return docker_spec.container(launch(), "image", STATE.root)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("network_mode", "none"),
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("security_opt", ["no-new-privileges:true"]),
        ("user", "200001:200001"),
        ("ipc_mode", "private"),
        ("name", "loam-sub_a"),
        ("restart_policy", {"Name": "unless-stopped"}),
    ],
)
def test_the_container_is_closed_in(name: str, value: object) -> None:
    assert asked()[name] == value


def test_nothing_that_opens_it_up_is_ever_asked_for() -> None:
    assert not {
        "privileged",
        "cap_add",
        "devices",
        "pid_mode",
        "ports",
        "volumes",
        "extra_hosts",
        "volumes_from",
    } & set(asked())


def test_memory_is_limited_from_the_start_and_cannot_swap() -> None:
    assert asked()["mem_limit"] == asked()["memswap_limit"] == 256 * 1024 * 1024


def test_cpu_is_not_limited_until_it_has_started() -> None:
    assert not [name for name in asked() if name.startswith(("cpu", "nano"))]


def test_processes_files_and_logs_are_bounded() -> None:
    container = asked()

    assert container["pids_limit"]
    assert {limit["Name"] for limit in container["ulimits"]} == {"nofile", "core", "fsize"}  # type: ignore[attr-defined]
    assert container["log_config"]["Config"] == {"max-size": "5m", "max-file": "2"}  # type: ignore[index]
    assert "noexec" in container["tmpfs"]["/tmp"]  # type: ignore[index]


def test_only_its_own_five_folders_are_mounted_and_the_hosts_one_read_only() -> None:
    mounts = {mount["Target"]: mount for mount in asked()["mounts"]}  # type: ignore[attr-defined]

    assert {target for target, mount in mounts.items() if not mount["ReadOnly"]} == {
        "/data",
        "/keys",
        "/run/control",
        "/run/edge",
    }
    assert mounts["/host"]["ReadOnly"]
    assert {mount["Source"] for mount in mounts.values()} == {
        "/state/tenants/sub_a/data",
        "/state/tenants/sub_a/keys",
        "/state/tenants/sub_a/host",
        "/state/control/sub_a",
        "/state/edge/abcdefghij",
    }


def test_nothing_secret_is_in_its_environment() -> None:
    assert asked()["environment"] == {"TENANT_SUBSTRATE": "sub_a"}


@pytest.mark.parametrize("plan", PLANS.values(), ids=lambda plan: plan.id.value)
def test_each_plan_gets_the_memory_and_cpu_that_it_says(plan) -> None:
    limits = docker_spec.limits(launch(plan.memory_mb, plan.cpus).spec)

    assert limits["mem_limit"] == limits["memswap_limit"] == plan.memory_mb * 1024 * 1024
    assert limits["cpu_quota"] / limits["cpu_period"] == plan.cpus


@given(st.dictionaries(st.just(docker_spec.LABEL_GENERATION), st.text()))
def test_a_label_that_is_no_number_is_older_than_any(labels: dict[str, str]) -> None:
    assert docker_spec.generation_of(labels) >= 0


@pytest.mark.containers
@pytest.mark.parametrize("bench", ["docker"], indirect=True)
async def test_a_running_container_has_the_limits_of_its_plan(bench: Bench, docker_engine: docker.DockerClient) -> None:
    made = await bench.tenant()
    await bench.runtime.ensure_running(made)

    await bench.runtime.apply_limits(made)

    found = docker_engine.containers.get(docker_spec.name_for(made.spec.substrate)).attrs["HostConfig"]
    assert found["CpuQuota"] == 50_000
    assert found["Memory"] == 256 * 1024 * 1024
    assert found["NetworkMode"] == "none"
    assert found["ReadonlyRootfs"] is True


@pytest.mark.containers
async def test_an_image_that_is_not_there_is_named_and_not_waited_for(
    state_dir: Path, docker_engine: docker.DockerClient
) -> None:
    runtime = DockerRuntime("loam-tenant:nothing", state_dir, client=docker_engine)
    places = Places(StateFolder(state_dir), SystemClock(), gateway_gid=None)
    spec = launch().spec
    await places.prepare()
    await places.make_lockable(spec)
    await places.make(spec)

    with pytest.raises(CannotRun):
        await runtime.ensure_running(Launch(spec, places.folders_of(spec), spec.uid))


@pytest.mark.containers
async def test_folders_that_are_gone_are_not_made_again_by_the_engine(
    state_dir: Path, tenant_image: str, docker_engine: docker.DockerClient
) -> None:
    runtime = DockerRuntime(tenant_image, state_dir, client=docker_engine)
    folders = StateFolder(state_dir).tenant(SubstrateId("sub_gone"), Slug("abcdefghij"))
    spec = launch().spec

    with pytest.raises(RuntimeAway):
        await runtime.ensure_running(Launch(spec, folders, 200_001))

    assert not folders.tenant.exists()
    await runtime.ensure_absent(spec.substrate)


async def test_an_engine_that_does_not_answer_is_away(tmp_path: Path, free_port: int) -> None:
    client = docker.DockerClient(base_url=f"tcp://127.0.0.1:{free_port}", version="1.41", timeout=2)
    runtime = DockerRuntime("image", tmp_path, client=client)

    with pytest.raises(RuntimeAway):
        await runtime.is_running(SubstrateId("sub_a"))
    client.close()
