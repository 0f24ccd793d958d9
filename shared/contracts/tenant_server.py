"""How the provisioner and a tenant's server speak over the control socket.

`PUT /policy` (a compact JWS, `application/jose`) → `Applied`; `GET /status` → `Status`; `POST /backup` → one moment of
the memory as a SQLite database, its length ahead; `GET /examination` → `Examined`. The provisioner treats every reply
as hostile: its size, its time and its form are bounded.
"""

from typing import Final

import msgspec

STATUS_MAX_BYTES: Final = 1024 * 1024
ANSWER_MAX_BYTES: Final = 64 * 1024

COPY_TYPE: Final = "application/vnd.sqlite3"
COPY_MARGIN_BYTES: Final = 16 * 1024 * 1024
"""How much larger than the plan's storage a copy may be: tombstones are written when the storage is full."""


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
    versions: dict[str, str] = {}


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a memory is whole, and what it holds. Two with the same history hold the same."""

    whole: bool
    live_atoms: int
    versions: int
    """How long history is, tombstones included."""
    history: str
    """SHA-256 over the digest of every version, in order."""
