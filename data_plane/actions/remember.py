"""Remember atoms: all of a save or nothing of it."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from data_plane.actions.expire import expire_due
from data_plane.actions.memory import Memory
from data_plane.atoms import rules
from data_plane.atoms.atom import AtomVersion, Outcome
from data_plane.atoms.draft import Draft
from data_plane.atoms.errors import (
    AtomLimitReached,
    AtomRefused,
    IdempotencyKeyReused,
    NoAtoms,
    TooManyAtoms,
    VersionConflict,
)
from data_plane.atoms.names import DEFAULT_TYPE, derived, type_of
from data_plane.policy.caller import Caller
from data_plane.retrieval.words import words_of
from data_plane.store import atom_table, idempotency_table, tally_table, word_table
from data_plane.store.atom_table import Newest, Written
from data_plane.store.database import Tx
from data_plane.store.errors import StorageFull
from data_plane.store.idempotency_table import Answer
from shared.kernel.clock import MILLISECOND, to_ms
from shared.kernel.logs import logger

log = logger(__name__)

ANSWERS_KEPT: Final = timedelta(days=7)
MAX_KEY_BYTES: Final = 200


class SaveOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Atoms to be remembered together."""

    atoms: tuple[Draft, ...]
    """Between 1 and 500; all are saved or none."""
    idempotency_key: str | None = None
    """Your own word for this save: repeating it with the same key returns the first answer and saves nothing."""
    allow_secrets: bool = False
    """Save although the content looks like a credential. Recorded."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one atom of a save."""

    name: str
    namespace: str
    version: int
    index: int
    """Its place in the tenant's whole history."""
    outcome: Outcome
    supersedes: int | None = None
    """The version that this one replaced."""


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a save: receipts in the order of the atoms."""

    atoms: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A checked draft with everything that does not depend on what is stored."""

    where: str
    namespace: str
    name: str
    draft: Draft
    digest: bytes


async def remember(memory: Memory, caller: Caller, order: SaveOrder) -> Saved:
    """Save atoms in one transaction; the answer comes once they are on disk.

    Raises:
        AppError: one of `data_plane.atoms.errors`, `StorageFull` or `NamespaceNotBound`; nothing was saved then.
    """
    prepared = _prepare(caller, order)
    request = _digest(order)
    now_ms = memory.now_ms()

    def save(tx: Tx) -> Saved:
        if order.idempotency_key is not None:
            before = idempotency_table.find_answer(tx, caller.key_id, order.idempotency_key)
            if before is not None:
                return _again(before, request)
        expire_due(tx, now_ms)
        saved = Saved(atoms=tuple(_save_one(tx, caller, atom, now_ms, order.allow_secrets) for atom in prepared))
        _check_limits(tx, caller, saved)
        if order.idempotency_key is not None:
            answer = Answer(request=request, answer=msgspec.json.encode(saved).decode())
            idempotency_table.delete_answers_before(tx, now_ms - ANSWERS_KEPT // MILLISECOND)
            idempotency_table.insert_answer(tx, caller.key_id, order.idempotency_key, answer, now_ms)
        return saved

    saved = await memory.writer.write(save)
    if order.allow_secrets:
        log.info("secrets were let in", key=caller.key_id, indexes=[receipt.index for receipt in saved.atoms])
    return saved


def _prepare(caller: Caller, order: SaveOrder) -> list[_Prepared]:
    if not order.atoms:
        raise NoAtoms
    if len(order.atoms) > rules.MAX_ATOMS:
        raise TooManyAtoms(shown={"count": len(order.atoms), "limit": rules.MAX_ATOMS})
    key = order.idempotency_key
    if key is not None and not (key.isprintable() and 1 <= len(key.encode()) <= MAX_KEY_BYTES):
        raise AtomRefused(
            shown={
                "where": "idempotency_key",
                "problem": "is not a short text",
                "fix": f"Send printable text of at most {MAX_KEY_BYTES} bytes.",
            }
        )
    return [_prepare_one(caller, draft, f"atoms[{place}]", order) for place, draft in enumerate(order.atoms)]


def _prepare_one(caller: Caller, draft: Draft, where: str, order: SaveOrder) -> _Prepared:
    limits = caller.policy.limits
    rules.check(draft, where, atom_bytes=limits.atom_bytes, allow_secrets=order.allow_secrets)
    occurred = str(to_ms(draft.occurred_at)) if draft.occurred_at else ""
    name = draft.name or derived(
        draft.type or DEFAULT_TYPE, draft.content, draft.session or "", draft.actor or "", occurred
    )
    return _Prepared(
        where=where,
        namespace=caller.one_namespace(draft.namespace),
        name=name,
        draft=draft,
        digest=_digest(msgspec.structs.replace(draft, name=None, namespace=None, type=None, if_version=None)),
    )


def _save_one(tx: Tx, caller: Caller, atom: _Prepared, now_ms: int, allow_secrets: bool) -> Receipt:  # noqa: FBT001
    newest = atom_table.find_newest(tx, atom.namespace, atom.name)
    _check_expected_version(atom, newest)
    if newest is not None and newest.live and newest.digest == atom.digest:
        return Receipt(
            name=atom.name,
            namespace=atom.namespace,
            version=newest.version,
            index=newest.index,
            outcome=Outcome.UNCHANGED,
        )
    version = _version_of(atom, newest, atom_table.next_index(tx), now_ms)
    atom_table.insert_version(
        tx, version, Written(digest=atom.digest, key_id=caller.key_id, secrets_allowed=allow_secrets)
    )
    was_live = newest is not None and newest.live
    if newest is not None and was_live:
        word_table.delete_words(tx, newest.index)
    else:
        tally_table.update_tally(tx, tally_table.LIVE_ATOMS, +1)
    word_table.insert_words(tx, version.index, words_of(version))
    return Receipt(
        name=atom.name,
        namespace=atom.namespace,
        version=version.version,
        index=version.index,
        outcome=_outcome(newest),
        supersedes=newest.version if newest is not None and was_live else None,
    )


def _version_of(atom: _Prepared, newest: Newest | None, index: int, now_ms: int) -> AtomVersion:
    draft = atom.draft
    return AtomVersion(
        index=index,
        namespace=atom.namespace,
        name=atom.name,
        version=1 if newest is None else newest.version + 1,
        forgotten=False,
        type=type_of(atom.name),
        content=draft.content,
        session=draft.session,
        actor=draft.actor,
        occurred_at_ms=to_ms(draft.occurred_at) if draft.occurred_at else now_ms,
        tags=draft.tags,
        source=draft.source,
        origin=draft.origin,
        confidence=draft.confidence,
        expires_at_ms=to_ms(draft.expires_at) if draft.expires_at else None,
        links=draft.links,
        created_at_ms=now_ms,
    )


def _outcome(newest: Newest | None) -> Outcome:
    if newest is None:
        return Outcome.CREATED
    return Outcome.SUPERSEDED if newest.live else Outcome.REVIVED


def _check_expected_version(atom: _Prepared, newest: Newest | None) -> None:
    expected = atom.draft.if_version
    found = newest.version if newest is not None else 0
    if expected is not None and expected != found:
        raise VersionConflict(shown={"where": atom.where, "name": atom.name, "found": found, "expected": expected})


def _check_limits(tx: Tx, caller: Caller, saved: Saved) -> None:
    """Refuse the save as a whole: what it wrote is undone by the raised error."""
    limits = caller.policy.limits
    added = sum(receipt.outcome in {Outcome.CREATED, Outcome.REVIVED} for receipt in saved.atoms)
    live = tally_table.get_tally(tx, tally_table.LIVE_ATOMS)
    if added and live > limits.atoms:
        raise AtomLimitReached(shown={"limit": limits.atoms, "used": live - added, "added": added})
    wrote = any(receipt.outcome is not Outcome.UNCHANGED for receipt in saved.atoms)
    if wrote and tally_table.get_bytes_used(tx) > limits.storage_bytes:
        raise StorageFull


def _again(before: Answer, request: bytes) -> Saved:
    if before.request != request:
        raise IdempotencyKeyReused
    return msgspec.json.decode(before.answer, type=Saved)


def _digest(value: Draft | SaveOrder) -> bytes:
    return hashlib.sha256(msgspec.json.encode(value)).digest()
