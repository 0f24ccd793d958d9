"""Read atoms: by name, by listing, and a name's history. Reading changes nothing."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from data_plane.actions.memory import Memory
from data_plane.atoms.atom import AtomVersion
from data_plane.atoms.errors import AtomNotFound, CursorRefused
from data_plane.policy.caller import Caller
from data_plane.store import atom_table
from data_plane.store.database import Tx

MOST_LISTED: Final = 200
PAGE_BYTES: Final = 1024 * 1024
"""A page ends here even when fewer atoms than asked for are on it."""

_Position = tuple[str, str]
_Version = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


@dataclass(frozen=True, slots=True)
class Page:
    """Some atoms, and where the next ones begin."""

    atoms: list[AtomVersion]
    cursor: str | None


async def get_atom(memory: Memory, caller: Caller, name: str, *, namespace: str | None = None) -> AtomVersion:
    """The live atom of a name.

    Raises:
        AtomNotFound: there is none.
    """
    where = caller.one_namespace(namespace)
    now_ms = memory.now_ms()
    atom = await memory.readers.read(lambda tx: atom_table.find_live(tx, where, name, now_ms))
    if atom is None:
        raise AtomNotFound(shown={"name": name, "namespace": where})
    return atom


async def get_atoms(
    memory: Memory, caller: Caller, names: tuple[str, ...], *, namespace: str | None = None
) -> dict[str, AtomVersion]:
    """The live ones among these names, seen at one moment."""
    where = caller.one_namespace(namespace)
    now_ms = memory.now_ms()

    def work(tx: Tx) -> dict[str, AtomVersion]:
        found = ((name, atom_table.find_live(tx, where, name, now_ms)) for name in names)
        return {name: atom for name, atom in found if atom is not None}

    return await memory.readers.read(work)


async def list_atoms(
    memory: Memory,
    caller: Caller,
    *,
    namespace: str | None = None,
    prefix: str = "",
    atom_type: str | None = None,
    tag: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Live atoms in the order of their names.

    Raises:
        CursorRefused: the cursor is none of ours.
    """
    namespaces = caller.readable_namespaces(namespace)
    after = _position(cursor, _Position) if cursor else ("", "")
    now_ms = memory.now_ms()

    def work(tx: Tx) -> list[AtomVersion]:
        return atom_table.list_live(
            tx,
            now_ms,
            namespaces=namespaces,
            prefix=prefix,
            atom_type=atom_type,
            tag=tag,
            after=after,
            limit=limit + 1,
        )

    found = await memory.readers.read(work)
    shown = _fitting(found[:limit])
    more = len(found) > len(shown)
    return Page(atoms=shown, cursor=cursor_after(shown[-1]) if more else None)


async def list_history(
    memory: Memory,
    caller: Caller,
    name: str,
    *,
    namespace: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """A name's versions, the newest first, tombstones included.

    Raises:
        AtomNotFound: the name was never used.
        CursorRefused: the cursor is none of ours.
    """
    where = caller.one_namespace(namespace)
    before = _position(cursor, _Version) if cursor else None
    found = await memory.readers.read(
        lambda tx: atom_table.list_versions(tx, where, name, before=before, limit=limit + 1)
    )
    if not found and cursor is None:
        raise AtomNotFound(shown={"name": name, "namespace": where})
    shown = _fitting(found[:limit])
    more = len(found) > len(shown)
    return Page(atoms=shown, cursor=_cursor(shown[-1].version) if more else None)


def cursor_after(atom: AtomVersion) -> str:
    """Where a listing goes on behind this atom."""
    return _cursor((atom.namespace, atom.name))


def _fitting(atoms: list[AtomVersion]) -> list[AtomVersion]:
    """As many as fit on a page, but at least one."""
    shown: list[AtomVersion] = []
    size = 0
    for atom in atoms:
        size += len(atom.content)
        if shown and size > PAGE_BYTES:
            break
        shown.append(atom)
    return shown


def _cursor(position: _Position | int) -> str:
    """Opaque, so that its form may change."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def _position(cursor: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise CursorRefused from None
