"""Bury atoms whose time is over. They left search and lists at that moment; now they get their tombstone."""

import dataclasses
from typing import Final

from data_plane.atoms.atom import AtomVersion
from data_plane.store import atom_table, tally_table, word_table
from data_plane.store.atom_table import Written
from data_plane.store.database import Tx

MOST_AT_ONCE: Final = 200
"""In one save: the rest waits for the next."""

SERVER: Final = "server"
"""Who wrote it, in place of a key."""


def expire_due(tx: Tx, now_ms: int) -> None:
    """Give expired atoms their tombstone, so that they no longer count."""
    for atom in atom_table.list_expired(tx, now_ms, MOST_AT_ONCE):
        bury(tx, atom, key_id=SERVER, now_ms=now_ms)


def bury(tx: Tx, atom: AtomVersion, *, key_id: str, now_ms: int) -> AtomVersion:
    """A tombstone as the next version of a live atom's name. Returns it."""
    tombstone = dataclasses.replace(
        atom,
        index=atom_table.next_index(tx),
        version=atom.version + 1,
        forgotten=True,
        content="",
        session=None,
        actor=None,
        occurred_at_ms=now_ms,
        tags=(),
        source=None,
        origin=None,
        confidence=None,
        expires_at_ms=None,
        links=(),
        created_at_ms=now_ms,
    )
    atom_table.insert_version(tx, tombstone, Written(digest=b"", key_id=key_id, secrets_allowed=False))
    word_table.delete_words(tx, atom.index)
    tally_table.update_tally(tx, tally_table.LIVE_ATOMS, -1)
    return tombstone
