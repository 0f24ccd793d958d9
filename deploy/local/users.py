"""The unprivileged users of the embedded services: each program that root starts and that faces others has its own."""

import grp
import os
import pwd
import subprocess
from dataclasses import dataclass
from typing import Final

from deploy.local.trouble import Trouble

GATEWAY: Final = "loam-gateway"
POSTGRES: Final = "loam-postgres"
REDIS: Final = "loam-redis"


@dataclass(frozen=True, slots=True)
class User:
    """A user and its group."""

    name: str
    uid: int
    gid: int


def own() -> User:
    """Whoever runs this."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return User(name, os.geteuid(), os.getegid())


def ensure(name: str) -> User:
    """The service's own user where root starts the stack; everybody else runs services as themselves.

    Raises:
        Trouble: the user could not be made.
    """
    if os.geteuid() != 0:
        return own()
    try:
        return _find(name)
    except KeyError:
        pass
    made = subprocess.run(
        [
            *("/usr/sbin/useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"),
            *("--shell", "/usr/sbin/nologin", name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        return _find(name)
    except KeyError:
        raise Trouble(
            f"The system user {name} could not be made.",
            fix=f"Make it as root: useradd --system --user-group --shell /usr/sbin/nologin {name}",
            detail=made.stderr,
        ) from None


def _find(name: str) -> User:
    found = pwd.getpwnam(name)
    return User(name, found.pw_uid, grp.getgrgid(found.pw_gid).gr_gid)
