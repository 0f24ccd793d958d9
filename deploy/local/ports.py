"""Ports that are taken, and by whom, before a program fails to listen on them."""

import errno
import socket
from pathlib import Path
from typing import Final

from deploy.local.trouble import Trouble

LISTENING: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""

FIRST_UNPRIVILEGED: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def require_free(port: int, addresses: tuple[str, ...], *, setting: str) -> None:
    """Make sure that a program can listen on a port.

    Raises:
        Trouble: it is taken, by whom, and which setting chooses another.
    """
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                raise _trouble(port, address, setting, error) from error


def _trouble(port: int, address: str, setting: str, error: OSError) -> Trouble:
    if error.errno == errno.EADDRINUSE:
        by = holder(port)
        return Trouble(
            f"Port {port} is taken{f' by {by}' if by else ''}.",
            fix=f"Stop that program, or choose another: {setting}=…",
        )
    if error.errno == errno.EACCES:
        return Trouble(f"This user may not listen on port {port}.", fix=f"Choose one from 1024 on: {setting}=…")
    return Trouble(f"Nothing can listen on {address} port {port}: {error.strerror}.", fix="Choose others: LOAM_BIND=…")


def holder(port: int) -> str | None:
    """The program that listens on a port, if this user may know."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _holds(process, inodes):
            try:
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
            except OSError:
                return None
    return None


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.append(columns[9])
    return found


def _holds(process: Path, inodes: set[str]) -> bool:
    try:
        for handle in (process / "fd").iterdir():
            if str(handle.readlink()).removeprefix("socket:[").removesuffix("]") in inodes:
                return True
    except OSError:
        return False  # another user's, or gone
    return False
