"""How an atom is shown: the same members on both faces. Absent members have no value; nothing is ever null."""

import msgspec

from data_plane.atoms.atom import AtomVersion
from data_plane.atoms.draft import Link
from shared.kernel.clock import from_ms, iso


class AtomView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One version of an atom."""

    name: str
    namespace: str
    type: str
    version: int
    index: int
    """Its place in the tenant's whole history."""
    created_at: str
    content: str | None = None
    """Absent in a tombstone."""
    forgotten: bool = False
    occurred_at: str | None = None
    session: str | None = None
    actor: str | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    origin: str | None = None
    confidence: float | None = None
    expires_at: str | None = None
    links: tuple[Link, ...] = ()
    score: float | None = None
    """Of a search result: 1 is the best of this answer, the others in proportion; not comparable between answers."""
    truncated: bool = False
    """The content was cut to keep the answer short; get the atom by name for all of it."""

    @classmethod
    def of(cls, atom: AtomVersion, score: float | None = None) -> "AtomView":
        """The view of a version."""
        return cls(
            name=atom.name,
            namespace=atom.namespace,
            type=atom.type,
            version=atom.version,
            index=atom.index,
            created_at=iso(from_ms(atom.created_at_ms)),
            content=None if atom.forgotten else atom.content,
            forgotten=atom.forgotten,
            occurred_at=None if atom.forgotten else iso(from_ms(atom.occurred_at_ms)),
            session=atom.session,
            actor=atom.actor,
            tags=atom.tags,
            source=atom.source,
            origin=atom.origin,
            confidence=atom.confidence,
            expires_at=iso(from_ms(atom.expires_at_ms)) if atom.expires_at_ms is not None else None,
            links=atom.links,
            score=score,
        )
