"""Saving and restoring the registry with its key ring: one file, encrypted (age, C2SP), 0600.

Inside is a tar: a note, PostgreSQL's own dump, and the ring's files. Without the ring the dump is worth little, for it
holds sealed keys and hashes of keys. Whoever has the file and its key has everything: it belongs elsewhere.
"""

import io
import json
import os
import secrets
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyrage
from pyrage import passphrase, x25519

from deploy.local import postgres
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.kernel.clock import SystemClock, iso
from shared.kernel.secret_files import PURPOSES

FORMAT: Final = 1
NOTE: Final = "loam.json"
DUMP: Final = "registry.dump"
RING: Final = "secrets/"
DUMP_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Lock:
    """What an archive is encrypted to or opened with: one of the two."""

    passphrase: str | None = None
    key: str | None = None
    """An age recipient (`age1…`) to encrypt to, or an identity (`AGE-SECRET-KEY-1…`) to open with."""

    @classmethod
    def read(cls, *, passphrase_file: Path | None, key: str | None) -> "Lock":
        """From a command's options.

        Raises:
            Trouble: none or both were given, or the file is empty.
        """
        if (passphrase_file is None) == (key is None):
            raise Trouble("Nothing says how the file is encrypted.", fix="Give a passphrase file, or an age key.")
        if passphrase_file is None:
            return cls(key=key)
        words = passphrase_file.read_text(encoding="utf-8").strip()
        if not words:
            raise Trouble(f"The file {passphrase_file} is empty.", fix="Put the passphrase on its first line.")
        return cls(passphrase=words)

    def close(self, plain: bytes) -> bytes:
        """Encrypted.

        Raises:
            Trouble: the recipient is none.
        """
        if self.passphrase is not None:
            return passphrase.encrypt(plain, self.passphrase)
        try:
            return pyrage.encrypt(plain, [x25519.Recipient.from_str(self.key or "")])
        except pyrage.RecipientError as error:
            raise Trouble("This is no age recipient.", fix="One begins with `age1`; age-keygen makes one.") from error

    def open(self, closed: bytes) -> bytes:
        """As it was.

        Raises:
            Trouble: it is the wrong passphrase or identity, or the file was changed or cut.
        """
        try:
            if self.passphrase is not None:
                return passphrase.decrypt(closed, self.passphrase)
            return pyrage.decrypt(closed, [x25519.Identity.from_str(self.key or "")])
        except (pyrage.DecryptError, pyrage.IdentityError) as error:
            raise Trouble(
                "The file cannot be opened: it has another passphrase or key, or was changed or cut off.",
                fix="Check the passphrase or identity; if they are right, take an earlier file.",
            ) from error


@dataclass(frozen=True, slots=True)
class Archive:
    """What was saved."""

    note: dict[str, Any]
    dump: bytes
    ring: dict[str, bytes]


def save(settings: LocalSettings, target: Path, lock: Lock) -> Path:
    """Write the registry and its key ring into a new file, or into a folder under a name of its own.

    Raises:
        Trouble: the registry does not answer, or the file is there already.
    """
    made_at = iso(SystemClock().now())
    if target.is_dir():
        target /= f"loam-{made_at.replace(':', '').replace('-', '')[:15]}-{secrets.token_hex(2)}.age"
    archive = Archive({"loam_registry": FORMAT, "made_at": made_at}, _dumped(settings), _ring(settings.state.secrets))
    content = lock.close(_packed(archive))
    aside = target.with_name(f".{target.name}.new")
    aside.unlink(missing_ok=True)
    if target.exists():
        raise Trouble(f"{target} is there already.", fix="Name another file; an earlier backup is never overwritten.")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(target)
    return target


def load(source: Path, lock: Lock) -> Archive:
    """What a file holds, checked.

    Raises:
        Trouble: it is no such file, or cannot be opened.
    """
    try:
        closed = source.read_bytes()
    except OSError as error:
        raise Trouble(f"{source} cannot be read: {error.strerror}.", fix="Check its name.") from error
    archive = _unpacked(lock.open(closed))
    if archive.note.get("loam_registry") != FORMAT:
        raise Trouble("The file is of a format that this program does not know.", fix="Use the program that made it.")
    if any(f"{purpose}." not in " ".join(archive.ring) for purpose in PURPOSES):
        raise Trouble("The file's key ring is not whole.", fix="Take an earlier file.")
    return archive


def write_ring(settings: LocalSettings, archive: Archive) -> None:
    """The archive's key ring in place of the one there, which is set aside."""
    ring = settings.state.secrets
    if ring.exists() and any(ring.iterdir()):
        if _ring(ring) == archive.ring:
            return
        ring.rename(ring.with_name(f"secrets-before-restore-{secrets.token_hex(4)}"))
    ring.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in archive.ring.items():
        handle = os.open(ring / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())


def pour(settings: LocalSettings, archive: Archive, database: str) -> None:
    """PostgreSQL's dump into an empty database, whole or not at all.

    Raises:
        Trouble: PostgreSQL refused it.
    """
    url = postgres.url(settings, database)
    arguments = ["--no-owner", "--exit-on-error", "--single-transaction", f"--dbname={url}"]
    _postgres_program(settings, "pg_restore", *arguments, given=archive.dump)


def _dumped(settings: LocalSettings) -> bytes:
    return _postgres_program(settings, "pg_dump", "--format=custom", f"--dbname={postgres.url(settings)}")


def _postgres_program(settings: LocalSettings, name: str, *arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(
        [str(postgres.binaries(settings) / name), *arguments],
        input=given,
        capture_output=True,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        timeout=DUMP_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise Trouble(
            f"PostgreSQL's {name} failed.",
            fix="Check that the registry runs (`loam doctor`); see the words below.",
            detail=done.stderr.decode(errors="replace")[-2000:],
        )
    return done.stdout


def _ring(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.key"))}


def _packed(archive: Archive) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        files = {NOTE: json.dumps(archive.note).encode(), DUMP: archive.dump}
        for name, content in {**files, **{RING + name: value for name, value in archive.ring.items()}}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o400
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _unpacked(packed: bytes) -> Archive:
    """Read into memory only: nothing in the archive names a place on this disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    found[member.name] = content.read()
        note = json.loads(found.pop(NOTE))
        dump = found.pop(DUMP)
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise Trouble("The file holds no registry.", fix="Give the file that `loam backup` wrote.") from error
    ring = {name.removeprefix(RING): value for name, value in found.items() if name.startswith(RING)}
    return Archive(note, dump, {name: value for name, value in ring.items() if "/" not in name})
