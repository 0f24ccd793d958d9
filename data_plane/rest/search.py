"""Search over REST."""

from typing import Annotated

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from data_plane.actions.memory import Memory
from data_plane.actions.recall import recall
from data_plane.actions.views import AtomView
from data_plane.edge.needs import NEEDS
from data_plane.policy.caller import Caller
from data_plane.rest.refusals import REFUSALS
from shared.contracts.modes import Action


class SearchOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is looked for."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
    """A question or some words."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    namespace: str | None = None
    type: str | None = None
    tag: str | None = None
    session: str | None = None


class ResultsView(msgspec.Struct, kw_only=True):
    """The best matches, the best first."""

    results: list[AtomView]


@post("/", operation_id="search_atoms", responses=REFUSALS, status_code=200, opt={NEEDS: Action.READ})
async def search(
    data: JSONBody[SearchOrder], memory: NamedDependency[Memory], caller: NamedDependency[Caller]
) -> ResultsView:
    """Atoms that answer a question best."""
    found = await recall(
        memory,
        caller,
        data.query,
        limit=data.limit,
        namespace=data.namespace,
        atom_type=data.type,
        tag=data.tag,
        session=data.session,
    )
    return ResultsView(results=[AtomView.of(hit.atom, hit.score) for hit in found])


router = Router("/v1/search", route_handlers=[search], tags=["atoms"])
