"""Forget an atom: a tombstone becomes its newest version. Its past stays readable in the history."""

from data_plane.actions.expire import bury, expire_due
from data_plane.actions.memory import Memory
from data_plane.actions.remember import Receipt
from data_plane.atoms.atom import Outcome
from data_plane.atoms.errors import AtomNotFound, VersionConflict
from data_plane.policy.caller import Caller
from data_plane.store import atom_table
from data_plane.store.database import Tx


async def forget(
    memory: Memory, caller: Caller, name: str, *, namespace: str | None = None, if_version: int | None = None
) -> Receipt:
    """Make a name unfindable from now on.

    Raises:
        AtomNotFound: it is not live.
        VersionConflict: it has another version than `if_version`.
    """
    where = caller.one_namespace(namespace)
    now_ms = memory.now_ms()

    def work(tx: Tx) -> Receipt:
        expire_due(tx, now_ms)
        atom = atom_table.find_live(tx, where, name, now_ms)
        if atom is None:
            raise AtomNotFound(shown={"name": name, "namespace": where})
        if if_version is not None and atom.version != if_version:
            shown = {"where": "if_version", "name": name, "found": atom.version, "expected": if_version}
            raise VersionConflict(shown=shown)
        tombstone = bury(tx, atom, key_id=caller.key_id, now_ms=now_ms)
        return Receipt(
            name=name,
            namespace=where,
            version=tombstone.version,
            index=tombstone.index,
            outcome=Outcome.FORGOTTEN,
            supersedes=atom.version,
        )

    return await memory.writer.write(work)
