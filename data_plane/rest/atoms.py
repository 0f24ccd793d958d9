"""Atoms over REST: save, list, read, forget, history."""

from typing import Annotated

import msgspec
from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter

from data_plane.actions.forget import forget
from data_plane.actions.memory import Memory
from data_plane.actions.read_atoms import MOST_LISTED, get_atom, list_atoms, list_history
from data_plane.actions.remember import Receipt, SaveOrder, remember
from data_plane.actions.views import AtomView
from data_plane.edge.needs import NEEDS
from data_plane.policy.caller import Caller
from data_plane.rest.refusals import REFUSALS
from shared.contracts.modes import Action

Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LISTED, description="How many at most")]
Cursor = Annotated[str | None, QueryParameter(description="The `cursor` of the page before", max_length=2_000)]
Namespace = Annotated[str | None, QueryParameter(description="The key's own when absent", max_length=200)]


class SavedView(msgspec.Struct, kw_only=True):
    """Receipts in the order of the atoms."""

    atoms: tuple[Receipt, ...]
    checkpoint: str | None = None
    """The signed head of the log that holds them; null while this instance keeps no log."""


class PageView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Some atoms, and where the next ones begin."""

    atoms: list[AtomView]
    cursor: str | None = None
    """Absent on the last page."""


class HistoryView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A name's versions, the newest first."""

    name: str
    versions: list[AtomView]
    cursor: str | None = None
    """Absent on the last page."""


@post("/", operation_id="save_atoms", responses=REFUSALS, status_code=200, opt={NEEDS: Action.WRITE})
async def save(
    data: JSONBody[SaveOrder],
    memory: NamedDependency[Memory],
    caller: NamedDependency[Caller],
    header_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> SavedView:
    """Save up to 500 atoms, all or none. They are on disk when the answer comes."""
    order = data
    if header_key is not None and data.idempotency_key is None:
        order = msgspec.structs.replace(data, idempotency_key=header_key)
    saved = await remember(memory, caller, order)
    return SavedView(atoms=saved.atoms)


@get("/", operation_id="list_atoms", responses=REFUSALS, opt={NEEDS: Action.READ})
async def listing(
    memory: NamedDependency[Memory],
    caller: NamedDependency[Caller],
    prefix: Annotated[str, QueryParameter(max_length=200, description="What the name begins with")] = "",
    atom_type: Annotated[str | None, QueryParameter(name="type", max_length=200)] = None,
    tag: Annotated[str | None, QueryParameter(max_length=200)] = None,
    namespace: Namespace = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageView:
    """Live atoms in the order of their names."""
    page = await list_atoms(
        memory,
        caller,
        namespace=namespace,
        prefix=prefix,
        atom_type=atom_type,
        tag=tag,
        cursor=cursor,
        limit=limit,
    )
    return PageView(atoms=[AtomView.of(atom) for atom in page.atoms], cursor=page.cursor)


@get("/{name:str}", operation_id="get_atom", responses=REFUSALS, opt={NEEDS: Action.READ})
async def read(
    name: FromPath[str], memory: NamedDependency[Memory], caller: NamedDependency[Caller], namespace: Namespace = None
) -> AtomView:
    """The live atom of a name."""
    return AtomView.of(await get_atom(memory, caller, name, namespace=namespace))


@get("/{name:str}/history", operation_id="list_history", responses=REFUSALS, opt={NEEDS: Action.READ})
async def history(
    name: FromPath[str],
    memory: NamedDependency[Memory],
    caller: NamedDependency[Caller],
    namespace: Namespace = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HistoryView:
    """Every version of a name, the newest first, tombstones included."""
    page = await list_history(memory, caller, name, namespace=namespace, cursor=cursor, limit=limit)
    return HistoryView(name=name, versions=[AtomView.of(atom) for atom in page.atoms], cursor=page.cursor)


@delete("/{name:str}", operation_id="forget_atom", responses=REFUSALS, status_code=200, opt={NEEDS: Action.WRITE})
async def remove(
    name: FromPath[str],
    memory: NamedDependency[Memory],
    caller: NamedDependency[Caller],
    namespace: Namespace = None,
    if_version: Annotated[int | None, QueryParameter(ge=1, le=2**53)] = None,
) -> Receipt:
    """Forget an atom: it is found no more, its history stays readable."""
    return await forget(memory, caller, name, namespace=namespace, if_version=if_version)


router = Router("/v1/atoms", route_handlers=[save, listing, read, history, remove], tags=["atoms"])
