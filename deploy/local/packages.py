"""Packages of the distribution: which release this is, and installing the few that Loam needs.

Everything here asks first and installs only what is missing, so a machine that has all of it is never changed and
apt is never called.
"""

import os
import platform
import shutil
import subprocess
from typing import Final

from deploy.local.trouble import Trouble

FAMILY: Final = frozenset({"debian", "ubuntu"})
LOCK_WAIT_SECONDS: Final = 300
"""A fresh machine often runs its own updates right after its first boot; apt then waits for the lock."""


def release() -> dict[str, str]:
    """What `/etc/os-release` says, or nothing where there is none."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def is_debian_or_ubuntu() -> bool:
    """Whether apt is this machine's package manager."""
    found = release()
    return (
        bool({found.get("ID", ""), *found.get("ID_LIKE", "").split()} & FAMILY) and shutil.which("apt-get") is not None
    )


def may_install() -> bool:
    """Whether Loam may install packages here: Debian or Ubuntu, as root."""
    return os.geteuid() == 0 and is_debian_or_ubuntu()


def codename() -> str:
    """The release's name, such as `bookworm`.

    Raises:
        Trouble: this is no Debian or Ubuntu.
    """
    found = release()
    name = found.get("UBUNTU_CODENAME") or found.get("VERSION_CODENAME")
    if not name or not is_debian_or_ubuntu():
        raise Trouble(
            "Images can be built from packages on Debian and Ubuntu only, and no image registry answers.",
            fix="Let the Docker engine reach a registry (for example through a mirror in /etc/docker/daemon.json).",
        )
    return name


def proxy() -> str | None:
    """The HTTP proxy that apt is set to, if any: images are built from the same place."""
    done = subprocess.run(
        ["apt-config", "shell", "FOUND", "Acquire::http::Proxy"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip().removeprefix("FOUND=").strip("'") or None


def require(*names: str, why: str) -> None:
    """Make sure that the packages are installed; the names are known not to be more than needed.

    Raises:
        Trouble: they are missing and may not, or could not, be installed.
    """
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return
    wanted = " ".join(missing)
    if not may_install():
        raise Trouble(
            f"Missing: {wanted} ({why}).", fix=f"Run as root: apt-get install --no-install-recommends {wanted}"
        )
    install(missing)


def is_installed(name: str) -> bool:
    """Whether dpkg has the package, complete."""
    if shutil.which("dpkg-query") is None:
        return shutil.which(name) is not None
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name], capture_output=True, text=True, check=False
    )
    return done.stdout == "installed" or shutil.which(name) is not None


def install(names: list[str]) -> None:
    """Install packages without questions; the lists are refreshed only when the first try fails.

    Raises:
        Trouble: apt could not.
    """
    first = _apt("install", "--no-install-recommends", *names)
    if first.returncode == 0:
        return
    _apt("update")
    second = _apt("install", "--no-install-recommends", *names)
    if second.returncode != 0:
        raise Trouble(
            f"apt could not install {' '.join(names)}.",
            fix="Check the machine's package sources with `apt-get update`.",
            detail=second.stderr[-2000:],
        )


def _apt(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "--yes", "--quiet", "--option", f"DPkg::Lock::Timeout={LOCK_WAIT_SECONDS}", *words],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
