"""Ports that are taken, and by whom, before a program fails to listen on them."""

import errno
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from deploy.local.trouble import Trouble

LISTENING: Final = "0A"
"""The state of a listening socket in /proc/net/tcp."""

FIRST_UNPRIVILEGED: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def require_free(port: int, addresses: tuple[str, ...], *, setting: str, ours: int | None = None) -> None:
    """Make sure that a program can listen on a port; where the process `ours` listens, it is free for us.

    Raises:
        Trouble: it is taken, by whom, and which setting chooses another.
    """
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE and is_held_only_by(ours, port, address):
                    continue
                raise _trouble(port, address, setting, error) from error


def is_held_only_by(process: int | None, port: int, address: str) -> bool:
    """Whether this process listens there, and nobody else does."""
    if process is None:
        return False
    listening = set(_listening_inodes(port, address))
    return bool(listening) and listening <= _inodes_of(Path("/proc", str(process)))


def _trouble(port: int, address: str, setting: str, error: OSError) -> Trouble:
    if error.errno == errno.EADDRINUSE:
        by = holder(port)
        return Trouble(
            f"Port {port} is taken{f' by {by}' if by else ''}.",
            fix=f"Stop that program, or choose another: {setting}=…",
        )
    if error.errno == errno.EACCES:
        return Trouble(f"This user may not listen on port {port}.", fix=f"Choose one from 1024 on: {setting}=…")
    return Trouble(
        f"Nothing can listen on {address} port {port}: {error.strerror}.",
        fix="Choose addresses of this machine: LOAM_BIND=…",
    )


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


def _listening_inodes(port: int, address: str | None = None) -> list[str]:
    """Of the sockets that listen on a port; with `address`, only those in the way of one who would listen there."""
    found = []
    for table in ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            where, _, number = columns[1].rpartition(":")
            if columns[3] == LISTENING and int(number, 16) == port and _collide(_address(where), address):
                found.append(columns[9])
    return found


def _address(hexadecimal: str) -> IPv4Address | IPv6Address:
    """As the kernel writes it: words of four bytes, each in the machine's own order."""
    words = [hexadecimal[at : at + 8] for at in range(0, len(hexadecimal), 8)]
    return ip_address(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))


def _collide(listening: IPv4Address | IPv6Address, wanted: str | None) -> bool:
    if wanted is None:
        return True
    asked = ip_address(wanted)
    return listening == asked or listening.is_unspecified or asked.is_unspecified


def _holds(process: Path, inodes: set[str]) -> bool:
    return bool(_inodes_of(process) & inodes)


def _inodes_of(process: Path) -> set[str]:
    found = set()
    try:
        for handle in (process / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                found.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    except OSError:
        return set()  # another user's, or gone
    return found
