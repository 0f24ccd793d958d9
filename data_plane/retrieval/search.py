"""Search: the atoms that answer a question best, by their words."""

from dataclasses import dataclass

from data_plane.atoms.atom import AtomVersion
from data_plane.retrieval.query import expression_for
from data_plane.store import atom_table, word_table
from data_plane.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for, and among which atoms."""

    text: str
    namespaces: tuple[str, ...] | None = None
    type: str | None = None
    tag: str | None = None
    session: str | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Found:
    """An atom and how well it matches: comparable within one answer only."""

    atom: AtomVersion
    score: float


def search(tx: Tx, question: Question, now_ms: int) -> list[Found]:
    """The best matches, the best first."""
    expression = expression_for(question.text)
    if expression is None:
        return []
    hits = word_table.list_matching(
        tx,
        expression,
        now_ms,
        namespaces=question.namespaces,
        atom_type=question.type,
        tag=question.tag,
        session=question.session,
        limit=question.limit,
    )
    atoms = atom_table.list_by_index(tx, [hit.index for hit in hits])
    return [Found(atom=atoms[hit.index], score=float(f"{hit.score:.6g}")) for hit in hits]
