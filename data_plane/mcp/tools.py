"""The tools: for each what it is called, what it needs, what it takes, and the action it calls."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from data_plane.actions.forget import forget
from data_plane.actions.memory import Memory
from data_plane.actions.read_atoms import cursor_after, get_atoms, list_atoms, list_history
from data_plane.actions.recall import recall
from data_plane.actions.remember import Receipt, SaveOrder, remember
from data_plane.actions.views import AtomView
from data_plane.atoms.errors import AtomNotFound
from data_plane.mcp import arguments, schemas
from data_plane.mcp.rendering import DEFAULT_TOKENS, SNIPPET, as_members, as_text, cut, fit
from data_plane.policy.caller import Caller
from shared.contracts.modes import Action

Arguments = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool found, for programs and as text."""

    members: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One tool. The four hints are all given, since clients guess the worst about an absent one."""

    name: str
    title: str
    description: str
    needs: Action
    takes: schemas.Schema
    gives: schemas.Schema
    read_only: bool
    destructive: bool
    idempotent: bool
    run: Callable[[Memory, Caller, Arguments], Awaitable[Answer]]


async def _search(memory: Memory, caller: Caller, given: Arguments) -> Answer:
    asked = arguments.read("memory_search", given, arguments.Search)
    found = await recall(
        memory,
        caller,
        asked.query,
        limit=asked.limit,
        namespace=asked.namespace,
        atom_type=asked.type,
        tag=asked.tag,
        session=asked.session,
    )
    shown, omitted = fit([AtomView.of(hit.atom, hit.score) for hit in found], asked.max_tokens)
    footer = f"{omitted} more did not fit; ask for fewer or raise max_tokens." if omitted else ""
    text = as_text(shown, footer) if shown else "Nothing in the memory matches. Try other words, or memory_list."
    return Answer(_with_omitted({"results": as_members(shown)}, omitted), text)


async def _get(memory: Memory, caller: Caller, given: Arguments) -> Answer:
    asked = arguments.read("memory_get", given, arguments.Get)
    views, missing = await (_histories if asked.history else _atoms)(memory, caller, asked)
    shown, omitted = fit(views, asked.max_tokens)
    footer = "\n".join(
        ([f"Not there: {', '.join(missing)}. Find names with memory_list or memory_search."] if missing else [])
        + ([f"{omitted} more did not fit; ask for fewer names or raise max_tokens."] if omitted else [])
    )
    members: dict[str, Any] = {"atoms": as_members(shown)}
    if missing:
        members["missing"] = missing
    return Answer(_with_omitted(members, omitted), as_text(shown, footer))


async def _atoms(memory: Memory, caller: Caller, asked: arguments.Get) -> tuple[list[AtomView], list[str]]:
    found = await get_atoms(memory, caller, asked.names, namespace=asked.namespace)
    return [AtomView.of(atom) for atom in found.values()], [name for name in asked.names if name not in found]


async def _histories(memory: Memory, caller: Caller, asked: arguments.Get) -> tuple[list[AtomView], list[str]]:
    views: list[AtomView] = []
    missing: list[str] = []
    for name in asked.names:
        try:
            page = await list_history(memory, caller, name, namespace=asked.namespace)
        except AtomNotFound:
            missing.append(name)
        else:
            views += [AtomView.of(atom) for atom in page.atoms]
    return views, missing


async def _list(memory: Memory, caller: Caller, given: Arguments) -> Answer:
    asked = arguments.read("memory_list", given, arguments.Listing)
    page = await list_atoms(
        memory,
        caller,
        namespace=asked.namespace,
        prefix=asked.prefix,
        atom_type=asked.type,
        tag=asked.tag,
        cursor=asked.cursor,
        limit=asked.limit,
    )
    shown, omitted = fit([cut(AtomView.of(atom), SNIPPET) for atom in page.atoms], DEFAULT_TOKENS)
    members: dict[str, Any] = {"atoms": as_members(shown)}
    cursor = cursor_after(page.atoms[len(shown) - 1]) if omitted else page.cursor
    if cursor is not None:
        members["cursor"] = cursor
    return Answer(members, as_text(shown, f"More with cursor {cursor}" if cursor else ""))


async def _save(memory: Memory, caller: Caller, given: Arguments) -> Answer:
    order = arguments.read("memory_save", given, SaveOrder)
    saved = await remember(memory, caller, order)
    return Answer(as_members(saved), "\n".join(_receipt(receipt) for receipt in saved.atoms))


async def _forget(memory: Memory, caller: Caller, given: Arguments) -> Answer:
    asked = arguments.read("memory_forget", given, arguments.Forget)
    receipt = await forget(memory, caller, asked.name, namespace=asked.namespace, if_version=asked.if_version)
    return Answer(as_members(receipt), _receipt(receipt))


def _receipt(receipt: Receipt) -> str:
    replaced = f", replacing version {receipt.supersedes}" if receipt.supersedes is not None else ""
    return f"{receipt.outcome.value}: {receipt.name} (version {receipt.version}{replaced})"


def _with_omitted(members: dict[str, Any], omitted: int) -> dict[str, Any]:
    return {**members, "omitted": omitted} if omitted else members


TOOLS: Final = (
    ToolSpec(
        name="memory_search",
        title="Search memory",
        description="Find what is remembered about a question. Use it before answering anything that may depend on "
        "earlier conversations, preferences, decisions or people.",
        needs=Action.READ,
        takes=schemas.SEARCH,
        gives=schemas.FOUND,
        read_only=True,
        destructive=False,
        idempotent=True,
        run=_search,
    ),
    ToolSpec(
        name="memory_get",
        title="Get memories by name",
        description="Read atoms whose names you know, in full, with their history when asked.",
        needs=Action.READ,
        takes=schemas.GET,
        gives=schemas.GOT,
        read_only=True,
        destructive=False,
        idempotent=True,
        run=_get,
    ),
    ToolSpec(
        name="memory_list",
        title="List memories",
        description="See which names there are, by prefix, type or tag. Long contents are cut.",
        needs=Action.READ,
        takes=schemas.LIST,
        gives=schemas.LISTED,
        read_only=True,
        destructive=False,
        idempotent=True,
        run=_list,
    ),
    ToolSpec(
        name="memory_save",
        title="Save memories",
        description="Remember facts, preferences, decisions, events and tasks for later sessions, one statement an "
        "atom. Saving an existing name makes its next version; nothing is overwritten.",
        needs=Action.WRITE,
        takes=schemas.SAVE,
        gives=schemas.SAVED,
        read_only=False,
        destructive=False,
        idempotent=True,
        run=_save,
    ),
    ToolSpec(
        name="memory_forget",
        title="Forget a memory",
        description="Make an atom unfindable. Only when the user wants it forgotten; to correct one, save its name "
        "again.",
        needs=Action.WRITE,
        takes=schemas.FORGET,
        gives=schemas.FORGOTTEN,
        read_only=False,
        destructive=True,
        idempotent=False,
        run=_forget,
    ),
)
"""In the order in which they are listed, always."""
