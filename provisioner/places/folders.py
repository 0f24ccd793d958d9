"""Making and opening folders so that nothing planted is followed.

Every name is resolved below a folder that is already open, one component at a time, never through a symlink
(openat(2), O_NOFOLLOW). Owner and mode are set through the open folder, not through its name.
"""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from provisioner.places.errors import NotAFolder
from provisioner.places.ownership import KEPT, Access

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(path: Path | str, *, below: int | None = None) -> Iterator[int]:
    """The folder, open; its last component is no symlink.

    Raises:
        FileNotFoundError: there is none.
        NotAFolder: something else stands there.
    """
    try:
        handle = os.open(path, FOLDER, dir_fd=below)
    except NotADirectoryError as error:
        raise NotAFolder(str(path)) from error
    except OSError as error:
        if _is_symlink(path, below):
            raise NotAFolder(str(path)) from error
        raise
    try:
        yield handle
    finally:
        os.close(handle)


def ensure(path: Path, access: Access) -> None:
    """A folder with this owner and mode; what is in it stays."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        sync_folder(path.parent)
    with opened(path) as handle:
        apply(handle, access)


def apply(handle: int, access: Access) -> None:
    """Give an open file or folder its owner and mode. The mode comes last: chown(2) may clear setgid."""
    found = os.fstat(handle)
    if (access.uid, access.gid) != (KEPT, KEPT) and (found.st_uid, found.st_gid) != (access.uid, access.gid):
        os.fchown(handle, access.uid, access.gid)
    if stat.S_IMODE(found.st_mode) != access.mode or os.fstat(handle).st_mode != found.st_mode:
        os.fchmod(handle, access.mode)


def write_file(folder: Path, name: str, content: bytes, access: Access) -> None:
    """Put a file in place whole: written aside, fsynced, renamed, and the folder fsynced."""
    aside = f".{name}.{secrets.token_hex(4)}"
    with opened(folder) as below:
        handle = os.open(
            aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400, dir_fd=below
        )
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                apply(handle, access)
                os.fsync(handle)
            os.rename(aside, name, src_dir_fd=below, dst_dir_fd=below)
        except BaseException:
            os.unlink(aside, dir_fd=below)
            raise
        os.fsync(below)


def read_file(path: Path, *, most: int) -> bytes | None:
    """A file of ours, or `None` when there is none.

    Raises:
        ValueError: it is larger than `most`, so it is none of ours.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{path} is larger than {most} bytes")
    return content


def sync_folder(path: Path) -> None:
    """Make a new name in this folder survive a power cut."""
    with opened(path) as handle:
        os.fsync(handle)


def _is_symlink(path: Path | str, below: int | None) -> bool:
    try:
        return stat.S_ISLNK(os.stat(path, dir_fd=below, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
