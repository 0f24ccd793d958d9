"""Secrets kept as files: 0400, in one folder, each with an id, two of a kind accepted at a time.

A file is called `<purpose>.<id>.key` and holds the secret's raw bytes. The newest id (they sort) makes new things;
every id present is accepted for old ones, so that a key is replaced by adding a file and, later, removing one.
"""

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.kernel.errors import AppError

SEAL: Final = "seal"
"""Purpose: seals a key until its owner claims it. The control plane alone has it."""

SIGNING: Final = "signing"
"""Purpose: signs policies."""

PROBE: Final = "probe"
"""Purpose: what probes are derived from, for the control plane and the provisioner."""

BACKUP: Final = "backup"
"""Purpose: seals the keys that open tenants' backups, for the provisioner."""

PURPOSES: Final = (SEAL, SIGNING, PROBE, BACKUP)
"""Every purpose that a new state folder needs a secret for."""

SECRET_BYTES: Final = 32
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class SecretMissing(AppError):
    """No file holds a secret for this purpose."""

    code = "secret_missing"
    status = 500
    public = "There is no secret for “{purpose}” in {folder}."
    next_action = "Run `loam up`, which makes missing secrets, or restore the folder from a backup."


class SecretExposed(AppError):
    """A secret's file can be read by others than its owner."""

    code = "secret_exposed"
    status = 500
    public = "The secret {file} can be read by other users."
    next_action = "Run `chmod 0400` on it, and replace the secret if others may have read it."


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret: its id, which may be shown, and its bytes, which may not."""

    id: str
    value: bytes

    def __repr__(self) -> str:
        """Without the value, so that no traceback holds it."""
        return f"Secret(id={self.id!r})"


def load(folder: Path, purpose: str) -> list[Secret]:
    """Every secret of a purpose, the newest first.

    Raises:
        SecretMissing: there is none.
        SecretExposed: one is readable by others than its owner.
    """
    found: list[Secret] = []
    for file in sorted(folder.glob(f"{purpose}.*.key"), reverse=True):
        if file.stat().st_mode & OTHERS:
            raise SecretExposed(shown={"file": str(file)})
        found.append(Secret(id=file.name.split(".")[1], value=file.read_bytes()))
    if not found:
        raise SecretMissing(shown={"purpose": purpose, "folder": str(folder)})
    return found


def ensure(folder: Path, purpose: str) -> None:
    """Make the first secret of a purpose unless there is one already."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.glob(f"{purpose}.*.key")):
        return
    target = folder / f"{purpose}.1.key"
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(SECRET_BYTES))
        file.flush()
        os.fsync(file.fileno())
