"""Atoms in the database: every statement that touches `atom` and `atom_version`."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from data_plane.atoms.atom import AtomVersion
from data_plane.atoms.draft import Link
from data_plane.store.database import Tx

_LINKS = msgspec.json.Decoder(tuple[Link, ...])
_TAGS = msgspec.json.Decoder(tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Newest:
    """Where a name stands now."""

    index: int
    version: int
    live: bool
    expires_at_ms: int | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class Written:
    """What is kept with a version and never shown."""

    digest: bytes
    key_id: str
    secrets_allowed: bool


def find_newest(tx: Tx, namespace: str, name: str) -> Newest | None:
    """The newest version of a name, live or forgotten."""
    row = tx.execute(
        """
        SELECT a.idx, a.version, a.live, a.expires_at_ms, v.digest
          FROM atom a JOIN atom_version v USING (idx)
         WHERE a.namespace = :namespace AND a.name = :name
        """,
        {"namespace": namespace, "name": name},
    ).fetchone()
    return None if row is None else Newest(row[0], row[1], bool(row[2]), row[3], row[4])


def next_index(tx: Tx) -> int:
    """The place in history that the next version takes."""
    return int(tx.execute("SELECT coalesce(max(idx), 0) + 1 FROM atom_version").get)


def insert_version(tx: Tx, atom: AtomVersion, written: Written) -> None:
    """Add a version to history and make it the newest of its name."""
    tx.execute(
        """
        INSERT INTO atom_version VALUES (
            :idx, :namespace, :name, :version, :forgotten, :type, :content, :session, :actor, :occurred_at_ms, :tags,
            :source, :origin, :confidence, :expires_at_ms, :links, :created_at_ms, :digest, :key_id, :secrets_allowed
        )
        """,
        {
            "idx": atom.index,
            "namespace": atom.namespace,
            "name": atom.name,
            "version": atom.version,
            "forgotten": int(atom.forgotten),
            "type": atom.type,
            "content": atom.content,
            "session": atom.session,
            "actor": atom.actor,
            "occurred_at_ms": atom.occurred_at_ms,
            "tags": msgspec.json.encode(atom.tags).decode(),
            "source": atom.source,
            "origin": atom.origin,
            "confidence": atom.confidence,
            "expires_at_ms": atom.expires_at_ms,
            "links": msgspec.json.encode(atom.links).decode(),
            "created_at_ms": atom.created_at_ms,
            "digest": written.digest,
            "key_id": written.key_id,
            "secrets_allowed": int(written.secrets_allowed),
        },
    )
    tx.execute(
        """
        INSERT INTO atom VALUES (:namespace, :name, :idx, :version, :live, :type, :expires_at_ms)
        ON CONFLICT (namespace, name) DO UPDATE
           SET idx = :idx, version = :version, live = :live, type = :type, expires_at_ms = :expires_at_ms
        """,
        {
            "namespace": atom.namespace,
            "name": atom.name,
            "idx": atom.index,
            "version": atom.version,
            "live": int(not atom.forgotten),
            "type": atom.type,
            "expires_at_ms": atom.expires_at_ms,
        },
    )


def find_live(tx: Tx, namespace: str, name: str, now_ms: int) -> AtomVersion | None:
    """The live atom of a name."""
    row = tx.execute(
        """
        SELECT v.* FROM atom a JOIN atom_version v USING (idx)
         WHERE a.namespace = :namespace AND a.name = :name AND a.live = 1
           AND (a.expires_at_ms IS NULL OR a.expires_at_ms > :now)
        """,
        {"namespace": namespace, "name": name, "now": now_ms},
    ).fetchone()
    return None if row is None else _from_row(row)


def list_live(
    tx: Tx,
    now_ms: int,
    *,
    namespaces: tuple[str, ...] | None,
    prefix: str,
    atom_type: str | None,
    tag: str | None,
    after: tuple[str, str],
    limit: int,
) -> list[AtomVersion]:
    """Live atoms in the order of namespace and name, from behind `after` on. Walks the primary key of `atom`."""
    rows = tx.execute(
        """
        SELECT v.* FROM atom a JOIN atom_version v USING (idx)
         WHERE (a.namespace, a.name) > (:after_namespace, :after_name)
           AND a.live = 1
           AND (a.expires_at_ms IS NULL OR a.expires_at_ms > :now)
           AND (:namespaces IS NULL OR a.namespace IN (SELECT value FROM json_each(:namespaces)))
           AND substr(a.name, 1, length(:prefix)) = :prefix
           AND (:type IS NULL OR a.type = :type)
           AND (:tag IS NULL OR :tag IN (SELECT value FROM json_each(v.tags)))
         ORDER BY a.namespace, a.name
         LIMIT :limit
        """,
        {
            "after_namespace": after[0],
            "after_name": after[1],
            "now": now_ms,
            "namespaces": as_json(namespaces),
            "prefix": prefix,
            "type": atom_type,
            "tag": tag,
            "limit": limit,
        },
    )
    return [_from_row(row) for row in rows]


def list_versions(tx: Tx, namespace: str, name: str, *, before: int | None, limit: int) -> list[AtomVersion]:
    """A name's versions, the newest first, older than `before`."""
    rows = tx.execute(
        """
        SELECT * FROM atom_version
         WHERE namespace = :namespace AND name = :name AND (:before IS NULL OR version < :before)
         ORDER BY version DESC
         LIMIT :limit
        """,
        {"namespace": namespace, "name": name, "before": before, "limit": limit},
    )
    return [_from_row(row) for row in rows]


def list_expired(tx: Tx, now_ms: int, limit: int) -> list[AtomVersion]:
    """Atoms whose time is over, but which have no tombstone yet. Uses the index on `expires_at_ms`."""
    rows = tx.execute(
        """
        SELECT v.* FROM atom a JOIN atom_version v USING (idx)
         WHERE a.live = 1 AND a.expires_at_ms <= :now
         ORDER BY a.expires_at_ms
         LIMIT :limit
        """,
        {"now": now_ms, "limit": limit},
    )
    return [_from_row(row) for row in rows]


def count_expired(tx: Tx, now_ms: int) -> int:
    """How many still count as live in the tally though their time is over."""
    return int(tx.execute("SELECT count(*) FROM atom WHERE live = 1 AND expires_at_ms <= :now", {"now": now_ms}).get)


def list_by_index(tx: Tx, indexes: list[int]) -> dict[int, AtomVersion]:
    """The versions at these places in history."""
    rows = tx.execute(
        "SELECT * FROM atom_version WHERE idx IN (SELECT value FROM json_each(:indexes))",
        {"indexes": msgspec.json.encode(indexes).decode()},
    )
    return {row[0]: _from_row(row) for row in rows}


def count_versions(tx: Tx) -> int:
    """How long history is."""
    return int(tx.execute("SELECT count(*) FROM atom_version").get)


def digest_of_history(tx: Tx) -> str:
    """One SHA-256 over every version's digest, in order: two memories with the same one hold the same."""
    words = hashlib.sha256()
    for index, digest in tx.execute("SELECT idx, digest FROM atom_version ORDER BY idx"):
        words.update(int(index).to_bytes(8, "big") + bytes(digest))
    return words.hexdigest()


def as_json(values: tuple[str, ...] | None) -> str | None:
    """A list as a parameter: SQLite's `json_each` unfolds it, so that no SQL is assembled."""
    return None if values is None else msgspec.json.encode(values).decode()


def _from_row(row: tuple[Any, ...]) -> AtomVersion:
    (index, namespace, name, version, forgotten, kind, content, session, actor, occurred, tags, *rest) = row
    source, origin, confidence, expires, links, created = rest[:6]
    return AtomVersion(
        index=index,
        namespace=namespace,
        name=name,
        version=version,
        forgotten=bool(forgotten),
        type=kind,
        content=content,
        session=session,
        actor=actor,
        occurred_at_ms=occurred,
        tags=_TAGS.decode(tags),
        source=source,
        origin=origin,
        confidence=confidence,
        expires_at_ms=expires,
        links=_LINKS.decode(links),
        created_at_ms=created,
    )
