"""Settings of the local stack, and what a machine is told when something is missing."""

import os
import socket
from pathlib import Path

import pytest

from deploy.local import folders, names, packages, ports, tenant_programs, users
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.kernel.settings import SettingWrong, UnknownSetting


def test_a_misspelt_setting_stops_the_command_and_the_right_one_is_suggested(monkeypatch):
    monkeypatch.setenv("LOAM_STATE_DIRR", "/tmp/x")

    with pytest.raises(UnknownSetting) as refused:
        LocalSettings.load()

    assert "LOAM_STATE_DIR" in refused.value.detail


def test_the_key_that_customers_keep_in_their_environment_is_not_taken_for_a_setting(monkeypatch):
    monkeypatch.setenv("LOAM_API_KEY", "mmk_example")

    assert "mmk_example" not in repr(LocalSettings.load())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PORT", "abc"),
        ("HTTP_PORT", "70000"),
        ("RUNTIME", "podman"),
        ("DEMO", "maybe"),
        ("DOMAIN", "bad domain"),
        ("BIND", "here"),
        ("TLS", "/nonexistent"),
        ("TLS", "certificate.pem key.pem"),
        ("API_URL", "app.example.org"),
    ],
)
def test_a_value_that_a_setting_cannot_have_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(f"LOAM_{name}", value)

    with pytest.raises(SettingWrong) as refused:
        LocalSettings.load()

    assert refused.value.detail.startswith(f"LOAM_{name} is “{value}”; it must be ")


def test_a_state_folder_that_cannot_be_made_is_told():
    me = users.own()

    with pytest.raises(Trouble, match="LOAM_STATE_DIR"):
        folders.make(LocalSettings(state_dir=Path("/proc/x")), gateway=me, postgres=me, redis=me)


@pytest.mark.parametrize(
    ("uid", "xdg", "expected"),
    [
        (0, None, "/var/lib/loam"),
        (1000, None, "/home/ada/.local/state/loam"),
        (1000, "/data/state", "/data/state/loam"),
    ],
)
def test_the_state_folder_is_where_the_platform_keeps_state(monkeypatch, uid, xdg, expected):
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("LOAM_STATE_DIR", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    if xdg:
        monkeypatch.setenv("XDG_STATE_HOME", xdg)

    assert str(LocalSettings.load().root) == expected


def test_addresses_can_be_chosen_and_are_loopback_by_default():
    assert LocalSettings(bind="192.0.2.1 2001:db8::1").addresses == ("192.0.2.1", "2001:db8::1")
    assert set(LocalSettings().addresses) <= {"127.0.0.1", "::1"}


def unresolvable(*_: object):
    raise socket.gaierror


@pytest.mark.parametrize(("domain", "remedy"), [("loam.localhost", "libnss-myhostname"), ("example.org", "wildcard")])
def test_a_name_that_does_not_resolve_comes_with_its_remedy(monkeypatch, domain, remedy):
    monkeypatch.setattr(socket, "getaddrinfo", unresolvable)
    monkeypatch.setattr(packages, "may_install", lambda: False)

    advice = names.ensure(domain)

    assert advice is not None
    assert remedy in advice


def test_a_missing_package_is_named_with_the_command_where_it_may_not_be_installed(monkeypatch):
    monkeypatch.setattr(packages, "may_install", lambda: False)

    with pytest.raises(Trouble) as refused:
        packages.require("no-such-package-here", why="an example")

    assert "an example" in refused.value.sentence
    assert "apt-get install" in refused.value.fix
    assert "no-such-package-here" in refused.value.fix


def test_what_is_installed_is_not_installed_again(monkeypatch):
    def refuse(_):
        raise AssertionError("apt was called")

    monkeypatch.setattr(packages, "install", refuse)

    packages.require("sh", why="every system has one")


def test_a_free_port_is_accepted(free_port):
    ports.require_free(free_port, ("127.0.0.1",), setting="LOAM_HTTPS_PORT")


def test_an_interpreter_in_a_closed_folder_is_not_for_tenants(tmp_path):
    program = tmp_path / "python3"
    program.touch(mode=0o755)
    tmp_path.chmod(0o700)

    assert not tenant_programs.is_open_to_all(program)
    assert tenant_programs.is_open_to_all(tenant_programs.find_interpreter())
