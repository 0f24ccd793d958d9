"""What of an atom is searched, and how its date is written in words. Pure."""

from data_plane.atoms.atom import AtomVersion
from data_plane.store.word_table import Words
from shared.kernel.clock import from_ms


def words_of(atom: AtomVersion) -> Words:
    """The words by which an atom is found: its text, what it is called and tagged, who said it, and when it was."""
    label = " ".join(filter(None, (atom.name, *atom.tags, atom.actor, atom.session)))
    return Words(content=atom.content, label=label, moment=date_words(atom.occurred_at_ms))


def date_words(ms: int) -> str:
    """A date as people write it: `2026-11-21 Saturday 21 November 2026`."""
    return from_ms(ms).strftime("%Y-%m-%d %A %d %B")
