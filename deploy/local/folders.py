"""The state folder's rooms and who may enter them.

The folder itself can be entered by all and listed by its owner only: services have users of their own, and so has
every tenant.
"""

import os
import shutil
import stat
from pathlib import Path
from typing import Final

from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from deploy.local.users import User
from shared.contracts.state_folder import SOCKET_PATH_LIMIT
from shared.kernel.ids import SLUG_LENGTH

ENTER: Final = 0o711
OWN: Final = 0o700
LONGEST_SOCKET: Final = len("/postgres/socket/.s.PGSQL.5432.lock")
"""The longest path of a socket under the state folder; tenants' are shorter than the services'."""


def make(settings: LocalSettings, *, gateway: User, postgres: User, redis: User) -> None:
    """Every folder, with its owner and rights; safe to repeat.

    Raises:
        Trouble: the path is too long for sockets, or not ours.
    """
    check_length(settings.root)
    state = settings.state
    own = User("", os.geteuid(), os.getegid())
    try:
        settings.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Trouble(
            f"The state folder {settings.root} cannot be made: {error.strerror}.",
            fix="Choose another with LOAM_STATE_DIR.",
        ) from error
    rooms: list[tuple[Path, User, int]] = [
        (settings.root, own, ENTER),
        (state.tenants, own, ENTER),
        (state.control, own, ENTER),
        (state.slugs, own, OWN),
        (state.secrets, own, OWN),
        (state.outbox, own, OWN),
        (settings.run, own, OWN),
        (settings.logs, own, OWN),
        (settings.programs, own, 0o755),
        # Entered by name only: a tenant that runs as a process must reach its own folder.
        (state.edge, User("", own.uid, gateway.gid), ENTER),
        (state.edge / "app", User("", own.uid, gateway.gid), 0o2710),
        (state.edge / "waker", User("", own.uid, gateway.gid), 0o2710),
        (settings.root / "gateway", gateway, OWN),
        (settings.run / "gateway-root", own, 0o755),
        (settings.root / "postgres", postgres, ENTER),
        (settings.root / "postgres" / "socket", postgres, ENTER),
        (settings.root / "redis", redis, OWN),
    ]
    for path, owner, mode in rooms:
        path.mkdir(exist_ok=True)
        found = path.stat()
        if (found.st_uid, found.st_gid) != (owner.uid, owner.gid):
            os.chown(path, owner.uid, owner.gid)
        if stat.S_IMODE(found.st_mode) != mode:
            path.chmod(mode)


def check_length(root: Path) -> None:
    """Refuse a state folder under which a socket's path would be cut off.

    Raises:
        Trouble: it is too long.
    """
    longest = max(LONGEST_SOCKET, len("/edge//live.sock") + SLUG_LENGTH)
    room = SOCKET_PATH_LIMIT - longest
    if len(os.fsencode(root)) > room:
        raise Trouble(
            f"The state folder's path is {len(os.fsencode(root))} bytes long; unix sockets leave room for {room}.",
            fix="Choose a shorter one with LOAM_STATE_DIR.",
        )


def copy_program(source: Path, target: Path) -> Path:
    """A copy of a file or folder that every user can read: ours may lie in a home folder, which is closed."""
    stamp = target.with_name(f".{target.name}.stamp")
    facts = source.stat()
    wanted = f"{source} {facts.st_mtime_ns} {facts.st_size}"
    if target.exists() and stamp.is_file() and stamp.read_text() == wanted:
        return target
    fresh = target.with_name(f".{target.name}.new")
    if fresh.is_dir():
        shutil.rmtree(fresh)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, fresh, symlinks=True)
        if target.exists():
            shutil.rmtree(target)
    else:
        shutil.copy2(source, fresh)
    fresh.replace(target)
    stamp.write_text(wanted)
    return target


def write(path: Path, content: str, *, mode: int = 0o600) -> bool:
    """Write a file whole or not at all; whether it was new or different."""
    if path.is_file() and path.read_text() == content:
        return False
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "w") as file:
        file.write(content)
    fresh.chmod(mode)
    fresh.replace(path)
    return True
