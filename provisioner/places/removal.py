"""Removing what a tenant has written.

A tenant decides what is in its folders: symlinks to the host's files, trees deeper than a stack, millions of names. So
nothing is followed, nothing is recursed into, and no more than three folders are open at any moment: a folder found
inside is moved up beside its parent, under a name of ours, and dealt with in turn.
"""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

from provisioner.places import folders
from provisioner.places.errors import NotAFolder

MOVED: Final = ".removing-"
"""How folders are called that were moved up to be removed."""


def remove(path: Path) -> None:
    """Remove whatever stands at this path, never following a symlink. Absent is fine: it may run twice.

    The folder around it must be one that no tenant can write to, and no server may write below it any more.
    """
    try:
        with folders.opened(path.parent) as parent:
            _remove_name(parent, path.name)
            os.fsync(parent)
    except FileNotFoundError:
        return


def _remove_name(parent: int, name: str) -> None:
    try:
        with folders.opened(name, below=parent) as top:
            _empty(top)
        os.rmdir(name, dir_fd=parent)
    except NotAFolder:
        os.unlink(name, dir_fd=parent)


def _empty(top: int) -> None:
    """Remove everything below an open folder."""
    numbers = count()
    waiting = _unlink_files(top, top, numbers)
    while waiting:
        name = waiting.pop()
        _make_ours(top, name)
        with folders.opened(name, below=top) as inner:
            waiting += _unlink_files(inner, top, numbers)
        os.rmdir(name, dir_fd=top)


def _unlink_files(folder: int, top: int, numbers: Iterator[int]) -> list[str]:
    """Unlink all that is not a folder; move folders up to `top`. Their new names."""
    moved: list[str] = []
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            continue
        if folder != top:
            _make_ours(folder, entry.name)  # its parent changes, which needs writing to the folder itself
        name = _free_name(top, numbers)
        os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=top)
        moved.append(name)
    return moved


def _free_name(top: int, numbers: Iterator[int]) -> str:
    """A name that nothing in the folder has: a removal that was cut may have left some, a tenant may guess one."""
    for number in numbers:
        name = f"{MOVED}{number}"
        try:
            os.stat(name, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError:
            return name
    raise AssertionError("there is always another number")


def _make_ours(parent: int, name: str) -> None:
    """Open up a folder that its owner has closed to itself. Root needs none of it, and must not follow anything."""
    if os.geteuid() != 0:
        os.chmod(name, 0o700, dir_fd=parent)
