"""Recall: search the memory for what answers a question."""

from data_plane.actions.memory import Memory
from data_plane.policy.caller import Caller
from data_plane.retrieval.search import Found, Question, search


async def recall(
    memory: Memory,
    caller: Caller,
    query: str,
    *,
    limit: int = 10,
    namespace: str | None = None,
    atom_type: str | None = None,
    tag: str | None = None,
    session: str | None = None,
) -> list[Found]:
    """Live atoms that match, the best first."""
    question = Question(
        text=query,
        namespaces=caller.readable_namespaces(namespace),
        type=atom_type,
        tag=tag,
        session=session,
        limit=limit,
    )
    now_ms = memory.now_ms()
    return await memory.readers.read(lambda tx: search(tx, question, now_ms))
