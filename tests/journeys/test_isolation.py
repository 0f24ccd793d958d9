"""A tenant's container, inspected while it runs."""

import os
import stat
from pathlib import Path

import docker
import pytest

pytestmark = [pytest.mark.journey, pytest.mark.containers]


@pytest.fixture(scope="module")
def inspected(shared_instance):
    return docker.from_env().api.inspect_container(f"loam-{shared_instance.id}")


def test_it_has_no_network_and_no_port(inspected):
    assert inspected["HostConfig"]["NetworkMode"] == "none"
    assert not inspected["NetworkSettings"]["Ports"]
    assert not inspected["HostConfig"]["PortBindings"]


def test_its_root_is_read_only_and_it_has_no_capability(inspected):
    host = inspected["HostConfig"]

    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])


def test_it_runs_as_a_user_of_its_own(inspected):
    uid, _, gid = inspected["Config"]["User"].partition(":")

    assert int(uid) >= 200_000
    assert uid == gid
    process = Path(f"/proc/{inspected['State']['Pid']}/status").read_text()
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in process
    assert "CapEff:\t0000000000000000" in process
    assert "NoNewPrivs:\t1" in process


def test_it_has_its_plan_s_limits(inspected):
    host = inspected["HostConfig"]

    assert host["Memory"] == host["MemorySwap"] == 256 * 1024 * 1024
    assert host["NanoCpus"] == 500_000_000 or host["CpuQuota"] / host["CpuPeriod"] == 0.5
    assert 0 < host["PidsLimit"] <= 512
    assert host["LogConfig"]["Config"]["max-size"]


def test_it_sees_its_own_folders_alone_and_the_host_s_one_read_only(inspected, shared_instance):
    mounts = {mount["Destination"]: mount["RW"] for mount in inspected["Mounts"] if mount["Type"] == "bind"}

    assert mounts == {"/data": True, "/keys": True, "/host": False, "/run/control": True, "/run/edge": True}
    assert all(
        shared_instance.id in mount["Source"] or shared_instance.slug in mount["Source"]
        for mount in inspected["Mounts"]
        if mount["Type"] == "bind"
    )


def test_nobody_else_can_enter_its_folders(stack, shared_instance):
    folders = stack.folders(shared_instance)
    uid = folders.data.stat().st_uid

    for folder in (folders.data, folders.keys, folders.control):
        found = folder.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode) & 0o077) == (uid, 0)
    assert folders.host.stat().st_uid == os.getuid()
    assert folders.host.stat().st_mode & stat.S_IWOTH == 0
    assert folders.edge.stat().st_mode & stat.S_IRWXO == 0


def test_no_environment_variable_of_it_holds_a_secret(inspected, shared_instance):
    written = "\n".join(inspected["Config"]["Env"])

    assert shared_instance.key not in written
    assert "KEY=" not in written.replace("GPG_KEY=", "")
