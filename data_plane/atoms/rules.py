"""Which drafts are refused. Every refusal says which atom, what is wrong and what to do."""

import re
from datetime import UTC, datetime
from typing import Final

from data_plane.atoms.draft import Draft
from data_plane.atoms.errors import AtomRefused, AtomTooLarge, SecretFound
from data_plane.atoms.names import MAX_NAME_BYTES, TYPE, is_name, is_namespace, type_of
from data_plane.atoms.secrets import find_secret

MAX_ATOMS: Final = 500
"""In one save."""
MAX_TAGS: Final = 16
MAX_LINKS: Final = 64
MAX_WORD_BYTES: Final = 200
"""Of a tag, session, actor or origin."""
EARLIEST: Final = datetime(1000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f]")


def check(draft: Draft, where: str, *, atom_bytes: int, allow_secrets: bool) -> None:
    """Refuse a draft that cannot become an atom.

    Raises:
        AtomRefused: a member does not follow its rule.
        AtomTooLarge: the content is larger than the plan's atoms.
        SecretFound: the content seems to hold a secret.
    """
    _check_content(draft, where, atom_bytes=atom_bytes, allow_secrets=allow_secrets)
    _check_names(draft, where)
    for member, value in (("session", draft.session), ("actor", draft.actor), ("origin", draft.origin)):
        if value is not None:
            _check_words(value, f"{where}.{member}")
    for member, moment in (("occurred_at", draft.occurred_at), ("expires_at", draft.expires_at)):
        if moment is not None and not EARLIEST < moment < LATEST:
            raise _refused(
                f"{where}.{member}", "is not a year that makes sense", "Send a moment between 1000 and 9000."
            )
    if len(draft.tags) > MAX_TAGS:
        raise _refused(f"{where}.tags", f"are {len(draft.tags)}", f"Send at most {MAX_TAGS} tags.")
    for tag in draft.tags:
        _check_words(tag, f"{where}.tags")
    _check_links(draft, where)


def _check_content(draft: Draft, where: str, *, atom_bytes: int, allow_secrets: bool) -> None:
    if not draft.content.strip():
        raise _refused(f"{where}.content", "is empty", "Send the text that is to be remembered.")
    if "\0" in draft.content:
        raise _refused(f"{where}.content", "holds a zero character", "Send text, without binary data.")
    size = len(draft.content.encode())
    if size > atom_bytes:
        raise AtomTooLarge(shown={"where": where, "size": size, "limit": atom_bytes})
    if not allow_secrets:
        found = find_secret(draft.content)
        if found is not None:
            raise SecretFound(shown={"where": where, "kind": found.kind, "position": found.position})


def _check_names(draft: Draft, where: str) -> None:
    if draft.name is not None and not is_name(draft.name):
        raise _refused(
            f"{where}.name",
            "is not a name",
            f"Write type.slug in lower case, such as fact.favourite-tea, in at most {MAX_NAME_BYTES} characters; "
            "or leave it out.",
        )
    if draft.namespace is not None and not is_namespace(draft.namespace):
        raise _refused(f"{where}.namespace", "is not a namespace", "Use lower-case letters, digits, dots and dashes.")
    if draft.type is None:
        return
    if TYPE.fullmatch(draft.type) is None or len(draft.type) > MAX_WORD_BYTES // 4:
        raise _refused(f"{where}.type", "is not a type", "Use a lower-case word such as fact, event or task.")
    if draft.name is not None and type_of(draft.name) != draft.type:
        raise _refused(f"{where}.type", "is not the first part of the name", "Leave the type out, or make them agree.")


def _check_links(draft: Draft, where: str) -> None:
    if len(draft.links) > MAX_LINKS:
        raise _refused(f"{where}.links", f"are {len(draft.links)}", f"Send at most {MAX_LINKS} links.")
    for position, link in enumerate(draft.links):
        if TYPE.fullmatch(link.type) is None or len(link.type) > MAX_WORD_BYTES // 4:
            raise _refused(f"{where}.links[{position}].type", "is not a type", "Use a word such as depends_on.")
        if not is_name(link.target):
            raise _refused(f"{where}.links[{position}].target", "is not a name", "Name another atom, as type.slug.")


def _check_words(text: str, where: str) -> None:
    if not text.strip() or _UNPRINTABLE.search(text) or len(text.encode()) > MAX_WORD_BYTES:
        raise _refused(where, "is not a short text", f"Send printable text of at most {MAX_WORD_BYTES} bytes.")


def _refused(where: str, problem: str, fix: str) -> AtomRefused:
    return AtomRefused(shown={"where": where, "problem": problem, "fix": fix})
