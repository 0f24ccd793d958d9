"""How the provisioner and a tenant's server speak over the control socket.

`PUT /policy` (a compact JWS, `application/jose`) → `Applied`; `GET /status` → `Status`; `POST /drain` (`DrainOrder`) →
`Drained`; `POST /backup` → one moment of the memory as a SQLite database, its length ahead; `GET /examination` →
`Examined`. The provisioner treats every reply as hostile: its size, its time and its form are bounded.
"""

from typing import Final

import msgspec

STATUS_MAX_BYTES: Final = 1024 * 1024
ANSWER_MAX_BYTES: Final = 64 * 1024

COPY_TYPE: Final = "application/vnd.sqlite3"
COPY_MARGIN_BYTES: Final = 16 * 1024 * 1024
"""How much larger than the plan's storage a copy may be: tombstones are written when the storage is full."""

DRAIN_SECONDS: Final = 5.0
"""How long a server that drains lets running requests go on."""


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """When and by what a key was last used."""

    key_id: str
    at_ms: int
    client: str | None = None
    """Name and version that the MCP client gave of itself, bounded."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What counts against the limits."""

    atoms: int
    storage_bytes: int
    bootstraps: int = 0
    month: str
    """The calendar month in UTC in which the bootstraps were counted: `2026-11`."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a running server says about itself."""

    substrate: str
    epoch: int
    generation: int
    usage: Usage
    last_request_ms: int | None = None
    last_client: str | None = None
    keys: tuple[KeyUse, ...] = ()
    idle_ms: int = 0
    """Since when no key has used it, by a clock that cannot be set; zero while a request or a stream is open."""
    open_exchanges: int = 0
    draining: bool = False
    """It lets nobody in any more and waits to be stopped."""
    versions: dict[str, str] = {}


class DrainOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Take the edge's socket away, finish what is under way, and wait to be stopped."""

    idle_ms: int = 0
    """Only if nobody has used it for this long; zero is in any case."""


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    drained: bool
    """Nobody gets in any more and nothing is under way."""
    idle_ms: int


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a memory is whole, and what it holds. Two with the same history hold the same."""

    whole: bool
    live_atoms: int
    versions: int
    """How long history is, tombstones included."""
    history: str
    """SHA-256 over the digest of every version, in order."""
