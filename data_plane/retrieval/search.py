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
    """An atom and how well it matches: 1 is the best of this answer, the others in proportion to it."""

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
    # BM25 by itself says little: in a small memory it is a millionth, for the best match as for the worst.
    best = max((hit.score for hit in hits), default=0.0)
    return [Found(atom=atoms[hit.index], score=round(hit.score / best, 4) if best > 0 else 1.0) for hit in hits]
