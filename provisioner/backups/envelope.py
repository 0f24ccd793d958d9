"""What a backup is: age (C2SP, age v1) around gzip around one line of JSON and a SQLite database.

A format that others can open, so that a memory does not depend on this program: `age -d -i KEY FILE | gunzip | tail -n
+2 > memory.db`. age encrypts in pieces of 64 KiB with a counter and a mark on the last one, so that a changed, cut or
reordered backup shows; each piece is authenticated before it is let out. Which backup of whom it is stands in the
first line, under the same authentication: a backup under another's name is refused.
"""

import io
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec
import pyrage
from pyrage import x25519

from provisioner.backups.errors import BackupRefused, CopyRefused
from shared.kernel.ids import BackupId, SubstrateId

FORMAT: Final = 1
LEVEL: Final = 1
"""Text shrinks to about a third even so; more would cost three times the time."""

GZIP: Final = 16 + zlib.MAX_WBITS
LABEL_BYTES: Final = 4096
SQLITE: Final = b"SQLite format 3\0"
PIECE: Final = 1024 * 1024


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: whose memory this is, and when it was that."""

    loam_backup: int = FORMAT
    backup: BackupId
    substrate: SubstrateId
    key: str
    """The id of the key that opens it."""
    created_at: datetime


class Source(Protocol):
    """Where the copy comes from, piece by piece; empty at its end. It may raise anything."""

    def __call__(self) -> bytes:
        """The next piece."""
        ...


def new_identity() -> tuple[str, str]:
    """A new key: the identity that opens, and the recipient that is encrypted to."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def seal(source: Source, target: io.BufferedIOBase, label: Label, recipient: str) -> int:
    """Write a backup. How many bytes the copy itself has.

    Raises:
        CopyRefused: the source is no SQLite database.
    """
    reading = _Packed(source, label)
    try:
        pyrage.encrypt_io(reading, target, [x25519.Recipient.from_str(recipient)])
    except Exception:
        if reading.trouble is not None:
            raise reading.trouble from None
        raise
    return reading.copied


def unseal(
    source: io.BufferedIOBase, write: Callable[[bytes], object], wanted: Label, identity: str, *, most: int
) -> Label:
    """Hand the copy that a backup holds to `write`, in pieces. Nothing may be done with them before this returns.

    Raises:
        BackupRefused: it was changed, cut, is another's, or of a format that is not known.
    """
    writing = _Unpacked(write, wanted, most)
    try:
        pyrage.decrypt_io(source, writing, [x25519.Identity.from_str(identity)])
    except (pyrage.DecryptError, pyrage.IdentityError, OSError) as error:
        if writing.trouble is not None:
            raise writing.trouble from None
        raise BackupRefused(_words(error)) from None
    return writing.end()


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return "the backup was changed or cut off"
    if "No matching keys" in str(error):
        return "the backup was made with another key"
    return "this is no backup, or its beginning was changed"


class _Packed(io.BufferedIOBase):
    """What age reads: the label and the copy, through gzip."""

    def __init__(self, source: Source, label: Label) -> None:
        super().__init__()
        self._source = source
        self._gzip = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._ready = bytearray(self._gzip.compress(msgspec.json.encode(label) + b"\n"))
        self._ended = False
        self._head = b""
        self.copied = 0
        self.trouble: BaseException | None = None

    def read(self, size: int | None = -1) -> bytes:
        size = -1 if size is None else size
        try:
            while (size < 0 or len(self._ready) < size) and not self._ended:
                self._pull()
        except BaseException as trouble:  # pyrage would show a text only
            self.trouble = trouble
            raise
        piece = bytes(self._ready[:size] if size >= 0 else self._ready)
        del self._ready[: len(piece)]
        return piece

    def _pull(self) -> None:
        piece = self._source()
        if len(self._head) < len(SQLITE):
            self._head += piece[: len(SQLITE)]
            if not SQLITE.startswith(self._head[: len(SQLITE)]) or (not piece and len(self._head) < len(SQLITE)):
                raise CopyRefused("what the server sent is no SQLite database")
        self.copied += len(piece)
        if piece:
            self._ready += self._gzip.compress(piece)
        else:
            self._ready += self._gzip.flush()
            self._ended = True


class _Unpacked(io.BufferedIOBase):
    """What age writes into: gunzip, the label taken off and held to what was asked for, the copy handed on."""

    def __init__(self, write: Callable[[bytes], object], wanted: Label, most: int) -> None:
        super().__init__()
        self._write = write
        self._wanted = wanted
        self._left = most
        self._gunzip = zlib.decompressobj(GZIP)
        self._head = bytearray()
        self._label: Label | None = None
        self.trouble: BackupRefused | None = None

    def write(self, piece: Any) -> int:
        try:
            waiting = bytes(piece)
            while waiting:
                self._take(self._gunzip.decompress(waiting, PIECE))
                waiting = self._gunzip.unconsumed_tail
        except zlib.error:
            self.trouble = BackupRefused("the backup is of a format that is not known")
            raise self.trouble from None
        except BackupRefused as trouble:
            self.trouble = trouble
            raise
        return len(bytes(piece))

    def flush(self) -> None:
        """Nothing is held back."""

    def end(self) -> Label:
        if self._label is None or not self._gunzip.eof:
            raise BackupRefused("the backup was cut off")
        return self._label

    def _take(self, plain: bytes) -> None:
        if self._label is not None:
            self._hand_on(plain)
            return
        self._head += plain
        line, newline, rest = bytes(self._head).partition(b"\n")
        if newline:
            self._label = _checked(line, self._wanted)
            self._hand_on(rest)
        elif len(self._head) > LABEL_BYTES:
            raise BackupRefused("the backup is of a format that is not known")

    def _hand_on(self, plain: bytes) -> None:
        self._left -= len(plain)
        if self._left < 0:
            raise BackupRefused("the backup holds more than was noted when it was made")
        self._write(plain)


def _checked(line: bytes, wanted: Label) -> Label:
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        if found.get("loam_backup") != FORMAT:
            raise BackupRefused(
                f"the backup is of format {found.get('loam_backup')!s:.20}; this program knows {FORMAT}"
            )
        label = msgspec.convert(found, Label)
    except msgspec.MsgspecError:
        raise BackupRefused("the backup is of a format that is not known") from None
    if label.substrate != wanted.substrate:
        raise BackupRefused("the backup is another substrate's")
    if (label.backup, label.key, label.created_at) != (wanted.backup, wanted.key, wanted.created_at):
        raise BackupRefused("this is another backup than the one asked for")
    return label
