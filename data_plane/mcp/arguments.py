"""A tool's arguments from a client: foreign JSON, made into the struct the tool takes, or refused in one sentence."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from data_plane.mcp.errors import ArgumentsRefused
from data_plane.mcp.rendering import DEFAULT_TOKENS

Struct = TypeVar("Struct")

Tokens = Annotated[int, msgspec.Meta(ge=200, le=25_000)]

LISTS = ("atoms", "names", "tags", "links")
"""Members that are lists. Some clients send them as a string that holds the JSON; it is taken as meant."""


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of `memory_search`."""

    query: Annotated[str, msgspec.Meta(min_length=1, max_length=8_000)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    namespace: str | None = None
    type: str | None = None
    tag: str | None = None
    session: str | None = None
    max_tokens: Tokens = DEFAULT_TOKENS


class Get(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of `memory_get`."""

    names: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=50)]
    namespace: str | None = None
    history: bool = False
    max_tokens: Tokens = DEFAULT_TOKENS


class Listing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of `memory_list`."""

    prefix: Annotated[str, msgspec.Meta(max_length=200)] = ""
    type: str | None = None
    tag: str | None = None
    namespace: str | None = None
    cursor: Annotated[str, msgspec.Meta(max_length=2_000)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class Forget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of `memory_forget`."""

    name: str
    namespace: str | None = None
    if_version: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | None = None


def read(tool: str, arguments: Mapping[str, Any] | None, kind: type[Struct]) -> Struct:
    """The arguments as the tool's struct.

    Raises:
        ArgumentsRefused: they do not have its form, or hold text that is no Unicode.
    """
    try:
        # Once through JSON: what came in as half a surrogate pair or an endless number is refused here, for all tools.
        return msgspec.json.decode(msgspec.json.encode(_unfolded(arguments or {})), type=kind)
    except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ArgumentsRefused(shown={"tool": tool, "problem": _one_sentence(error)}) from None


def _unfolded(value: Any) -> Any:
    """Lists in place of strings that hold them; members that are null left out."""
    if not isinstance(value, Mapping):
        return value
    return {name: _member(name, member) for name, member in value.items() if member is not None}


def _member(name: str, member: Any) -> Any:
    if name not in LISTS:
        return member
    if isinstance(member, str) and member.lstrip().startswith("["):
        member = msgspec.json.decode(member)
    return [_unfolded(item) for item in member] if isinstance(member, list) else member


def _one_sentence(error: Exception) -> str:
    said = str(error) if isinstance(error, msgspec.MsgspecError) else "some text in them is not valid JSON or Unicode"
    return said.replace("`", "'").rstrip(".")
