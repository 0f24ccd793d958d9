"""An atom's version as it is kept, and the receipt of a save."""

from dataclasses import dataclass
from enum import StrEnum

from data_plane.atoms.draft import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomVersion:
    """One version of a name: its content and all that was said about it, or the mark that it was forgotten."""

    index: int
    """Its place in the tenant's whole history."""
    namespace: str
    name: str
    version: int
    forgotten: bool
    """A tombstone: the name is not live from this version on."""
    type: str
    content: str
    session: str | None
    actor: str | None
    occurred_at_ms: int
    tags: tuple[str, ...]
    source: str | None
    origin: str | None
    confidence: float | None
    expires_at_ms: int | None
    links: tuple[Link, ...]
    created_at_ms: int


class Outcome(StrEnum):
    """What a save or a forget did to a name."""

    CREATED = "created"
    SUPERSEDED = "superseded"
    REVIVED = "revived"
    """The name had been forgotten; its versions go on."""
    UNCHANGED = "unchanged"
    """The same content and members were there already: nothing was written."""
    FORGOTTEN = "forgotten"
