"""Names of atoms: `type.slug[.slug…]`, unique in their namespace, given or derived from the content."""

import base64
import hashlib
import re
import unicodedata
from typing import Final

MAX_NAME_BYTES: Final = 200
DEFAULT_TYPE: Final = "note"
SLUG_WORDS: Final = 6
SLUG_LENGTH: Final = 48
DIGEST_LENGTH: Final = 8
"""40 bits of the content's digest: two texts with the same first words get different names."""

TYPE: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
NAME: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_-]*)+", re.ASCII)
NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*", re.ASCII)
PREFIX: Final = re.compile(r"[a-z0-9_.-]*", re.ASCII)


def is_name(text: str) -> bool:
    """Whether the text has the form of a name."""
    return len(text) <= MAX_NAME_BYTES and NAME.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Whether the text has the form of a namespace."""
    return len(text) <= MAX_NAME_BYTES and NAMESPACE.fullmatch(text) is not None


def type_of(name: str) -> str:
    """The first part of a name."""
    return name.partition(".")[0]


def derived(atom_type: str, content: str, *distinguishing: str) -> str:
    """A name for a content: its first words and a piece of its digest.

    The same content gets the same name, so that saving it again is a no-op; what tells two equal sentences apart
    (session, actor, moment) goes into the digest as well.
    """
    ascii_text = unicodedata.normalize("NFKD", content[:400]).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", ascii_text)[:SLUG_WORDS]
    slug = "-".join(words)[:SLUG_LENGTH].strip("-")
    digest = hashlib.sha256("\0".join((content, *distinguishing)).encode()).digest()
    tail = base64.b32encode(digest).decode().lower()[:DIGEST_LENGTH]
    return f"{atom_type}.{slug}-{tail}" if slug else f"{atom_type}.{tail}"
