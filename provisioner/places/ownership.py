"""Who owns what in a tenant's place: pure values.

As root every tenant has a uid of its own, and nobody else on the host has it. Without root everything is the user's
own, which protects the host from nothing; the process that starts says so.
"""

from dataclasses import dataclass
from typing import Final

KEPT: Final = -1
"""chown(2): leave it as it is."""


@dataclass(frozen=True, slots=True)
class Access:
    """Owner, group and mode of one folder or file."""

    uid: int
    gid: int
    mode: int


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who owns a tenant's folders."""

    root: bool
    uid: int
    """The uid that the server runs as."""
    gateway_gid: int | None
    """The group that the gateway runs in, if it has one."""

    @property
    def tenant(self) -> Access:
        """The folder around data, keys and host: the tenant passes through and cannot list or rename."""
        return Access(0, self.uid, 0o710) if self.root else _mine(0o700)

    @property
    def writable(self) -> Access:
        """Data, keys and control: the tenant's alone."""
        return Access(self.uid, self.uid, 0o700) if self.root else _mine(0o700)

    @property
    def host(self) -> Access:
        """What the host writes and the tenant reads."""
        return Access(0, self.uid, 0o750) if self.root else _mine(0o700)

    @property
    def host_file(self) -> Access:
        """A file in the host's folder."""
        return Access(0, self.uid, 0o440) if self.root else _mine(0o400)

    @property
    def edge(self) -> Access:
        """Where the live socket is made: setgid, so that the socket is the gateway's group's without anybody's help."""
        if not self.root:
            return _mine(0o700)
        return Access(self.uid, self.uid if self.gateway_gid is None else self.gateway_gid, 0o2710)


PASSAGE: Final = 0o711
"""Folders above the tenants' own: everybody may pass through who knows the name, nobody may list."""


def _mine(mode: int) -> Access:
    return Access(KEPT, KEPT, mode)
