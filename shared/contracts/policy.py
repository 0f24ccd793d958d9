"""The policy: everything a tenant's server needs to decide alone, signed by the control plane.

It is always whole. A server that has it goes on enforcing it with the control plane off: keys expire on time, limits
hold, the mode is kept. (epoch, generation) orders policies; an older one is refused. A restored registry takes a new
epoch, so that keys it has forgotten die.
"""

from enum import StrEnum
from typing import Final

import msgspec

VERSION: Final = 1


class Scope(StrEnum):
    """What a key may do. `erase` is off by default and no MCP tool has it."""

    READ = "read"
    WRITE = "write"
    EXPORT = "export"
    ERASE = "erase"


DEFAULT_SCOPES: Final = (Scope.READ, Scope.WRITE, Scope.EXPORT)


class Mode(StrEnum):
    """What the server does at all; `shared.contracts.modes` says which actions each mode allows."""

    RUNNING = "running"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    DELETING = "deleting"


class Ended(StrEnum):
    """Why a secret no longer opens anything, though its time had not run out."""

    REVOKED = "revoked"
    ROTATED = "rotated"


class KeyGrant(msgspec.Struct, frozen=True, kw_only=True):
    """One secret and what it opens. A key in rotation has two."""

    key_id: str
    name: str
    digest: str
    """SHA-256 of the secret, lower-case hexadecimal."""
    scopes: tuple[Scope, ...]
    namespaces: tuple[str, ...] | None = None
    """The namespaces it is bound to; `None` is all."""
    not_before_ms: int
    not_after_ms: int | None = None
    """First moment at which it no longer works; `None` is never."""
    ended: Ended | None = None
    """Kept in the policy after its end so that the refusal can say what happened."""
    ended_at_ms: int | None = None


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A secret of the host's that opens `whoami` only, so that readiness needs nobody's key.

    Its time is counted by the server from when it applied the policy (at boot, or on a push), not from when the policy
    was signed: a tenant may wake long after that, with the control plane off.
    """

    digest: str
    seconds: int = 60


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The plan's limits, as terms agreed for this substrate."""

    atoms: int
    """Live atoms."""
    atom_bytes: int
    """UTF-8 bytes of one atom's content."""
    storage_bytes: int
    """Size of the tenant's data on disk."""
    bootstraps_per_month: int | None = None
    """Per calendar month in UTC; `None` is unlimited."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """All that is enforced for one substrate."""

    version: int = VERSION
    substrate: str
    slug: str
    hosts: tuple[str, ...]
    """Host names, without port, under which the server may be addressed."""
    instance_url: str
    epoch: int
    generation: int
    issued_at_ms: int
    mode: Mode
    mode_reason: str | None = None
    plan: str
    limits: Limits
    keys: tuple[KeyGrant, ...] = ()
    probe: Probe | None = None

    @property
    def order(self) -> tuple[int, int]:
        """What compares policies: a later one is greater."""
        return (self.epoch, self.generation)


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that may sign policies."""

    id: str
    ed25519: str
    """Raw public key, base64url without padding (RFC 8037, section 2: the JWK member `x`)."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys may sign policies: a file that only the host writes. Two are accepted while one replaces the other."""

    keys: tuple[TrustedKey, ...]


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """A server's answer to a pushed policy: what it enforces from now on."""

    epoch: int
    generation: int
