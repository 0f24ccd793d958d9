"""Making and opening backups on this host: everything that touches a store or a spooled file.

A backup is first written whole to a file of ours, encrypted already, then put into the store: the tenant's server is
asked once however slow the store is, and what is put has a known length and checksum.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from provisioner.backups import envelope
from provisioner.backups.envelope import Label
from provisioner.backups.errors import BackupRefused
from provisioner.backups.pulling import Pulled, in_stoppable_thread
from provisioner.backups.stores.store import Store
from provisioner.threads import in_thread
from shared.contracts.backups import StoreKind, object_of
from shared.kernel.ids import SubstrateId
from shared.registry.backups import Backup

PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup as it went into the store."""

    store: StoreKind
    object: str
    bytes: int
    memory_bytes: int
    sha256: str


class Vault:
    """One host's way to its backups."""

    def __init__(self, store: Store, spool: Path) -> None:
        """`spool` is a folder for files under way, on this host; nobody else's."""
        self._store = store
        self._spool = spool

    async def keep(self, pieces: AsyncIterator[bytes], label: Label, recipient: str, attempt: int) -> Kept:
        """Encrypt a copy, and keep it. `attempt` is the lease's number.

        Raises:
            CopyRefused: it is no database.
            StoreAway: it could not be kept.
        """
        name = object_of(label.substrate, label.backup, attempt)
        spooled = await in_thread(self._fresh, label, attempt)
        try:
            source = Pulled(pieces)
            copied = await in_stoppable_thread(partial(_seal, source, spooled, label, recipient), source.stop)
            size, sha256 = await in_thread(_measured, spooled)
            await in_thread(self._store.put, name, spooled)
        finally:
            await in_thread(spooled.unlink, missing_ok=True)
        return Kept(store=self._store.kind, object=name, bytes=size, memory_bytes=copied, sha256=sha256)

    async def open(self, backup: Backup, identity: str, target: Path, attempt: int) -> None:
        """Write the memory that a backup holds into a new file, in a folder of ours.

        Raises:
            BackupRefused: it is not there, not what was noted, or cannot be opened. No file is left.
            StoreAway: it could not be fetched.
        """
        label = Label(backup=backup.id, substrate=backup.substrate, key=backup.key, created_at=backup.created_at)
        if backup.store is not self._store.kind:
            raise BackupRefused(f"the backup is kept in a store of the kind {backup.store}; this host has another")
        spooled = await in_thread(self._fresh, label, attempt)
        try:
            await in_thread(self._fetched, backup, spooled)
            await in_thread(_unseal, spooled, target, label, identity, backup.memory_bytes)
        finally:
            await in_thread(spooled.unlink, missing_ok=True)

    async def remove(self, name: str) -> None:
        """There is no such object any more.

        Raises:
            StoreAway: it could not be removed.
        """
        await in_thread(self._store.remove, name)

    async def list_names(self, substrate: SubstrateId) -> list[str]:
        """What the store has of a substrate.

        Raises:
            StoreAway: it could not be asked.
        """
        return await in_thread(self._store.list_names, f"{substrate}/")

    def prepare(self) -> None:
        """Remove what a worker that was killed has left half-way."""
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._spool.iterdir():
            left.unlink()

    def _fresh(self, label: Label, attempt: int) -> Path:
        """A file's name that no other attempt has: a late thread of an earlier one must not write into ours."""
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._spool.glob(f"{label.backup}_*.age"):
            left.unlink()
        return self._spool / f"{label.backup}_{attempt}.age"

    def _fetched(self, backup: Backup, spooled: Path) -> None:
        if not self._store.fetch(backup.object, spooled):
            raise BackupRefused("the store does not have it")
        size, sha256 = _measured(spooled)
        if (size, sha256) != (backup.bytes, backup.sha256):
            raise BackupRefused("it is not the file that was kept: its length or its checksum differs")


def _seal(source: Pulled, spooled: Path, label: Label, recipient: str) -> int:
    with open(_new(spooled), "wb") as target:
        copied = envelope.seal(source, target, label, recipient)
        target.flush()
        os.fsync(target.fileno())
    return copied


def _unseal(spooled: Path, target: Path, label: Label, identity: str, size: int) -> None:
    try:
        with spooled.open("rb") as source, open(_new(target), "wb") as plain:
            envelope.unseal(source, plain.write, label, identity, most=size)
            plain.flush()
            os.fsync(plain.fileno())
            _check(plain.tell() == size)
    except BaseException:
        with suppress(FileNotFoundError):
            target.unlink()
        raise


def _check(as_long_as_noted: bool) -> None:  # noqa: FBT001 - one caller
    if not as_long_as_noted:
        raise BackupRefused("the backup holds less than was noted when it was made")


def _measured(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        words = hashlib.file_digest(file, "sha256")
        return os.fstat(file.fileno()).st_size, words.hexdigest()


def _new(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
