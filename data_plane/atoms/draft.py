"""A draft: an atom as somebody asks for it to be saved."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with an offset, such as 2026-11-21T09:30:00Z")]


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named relation to another atom, which need not exist yet."""

    type: str
    """supersedes, member_of, depends_on, constrains, references, derived_from, produced_by, or your own word."""
    target: str
    """The other atom's name."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be remembered. Only `content` is needed."""

    content: str
    """The memory itself, as text."""
    name: str | None = None
    """`type.slug`, unique in its namespace; derived from the content when absent."""
    namespace: str | None = None
    """Where names are unique; `default` when absent."""
    type: str | None = None
    """fact, event, state, preference, procedure, relation, task, domain, note, or your own: the name's first part."""
    session: str | None = None
    """The conversation or episode it belongs to."""
    actor: str | None = None
    """Who said or did it."""
    occurred_at: Moment | None = None
    """When it happened; when it is saved, if absent."""
    tags: tuple[str, ...] = ()
    """At most 16 words to filter by."""
    source: Literal["human", "agent", "import"] | None = None
    """Who vouches for it."""
    origin: str | None = None
    """Where it came from, in free words."""
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    """How sure you are, from 0 to 1."""
    expires_at: Moment | None = None
    """From then on it is no longer found."""
    links: tuple[Link, ...] = ()
    """Relations to other atoms."""
    if_version: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    """Save only if this is the name's newest version now; 0 is: the name was never used."""
