"""Substrates: what an account's instances are, where they are, and what they use."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter

from control_plane.actions.delete_substrate import delete_substrate as delete_action
from control_plane.actions.list_operations import list_operations as list_operations_action
from control_plane.actions.read_receipt import read_receipt as receipt_action
from control_plane.actions.read_substrate import SubstrateNow, find_substrate, read_substrate
from control_plane.actions.read_substrate import list_substrates as list_action
from control_plane.actions.tools import Tools
from control_plane.actions.undelete_substrate import undelete_substrate as undelete_action
from control_plane.api import connect_snippets, etags, names
from control_plane.api.connect_snippets import Snippet
from control_plane.api.moments import shown
from control_plane.api.operations import OperationAnswer, OperationView
from control_plane.api.pages import Cursor, Limit, page
from shared.kernel.clock import iso
from shared.lifecycle.substrate import Reason, Status
from shared.plans import PlanId
from shared.registry.account_tokens import Bearer
from shared.registry.publishing import Addresses
from shared.registry.receipts import Receipt

MONTHS = 12


class Used(msgspec.Struct, frozen=True):
    """How much of a limit is used."""

    used: int
    limit: int


class BootstrapsUsed(msgspec.Struct, frozen=True):
    """How many bootstraps were made this calendar month, in UTC."""

    used: int
    limit: int | None
    """`null` is unlimited."""
    resets_at: str


class RestrictionView(msgspec.Struct, frozen=True):
    """One reason to be read_only."""

    reason: Reason
    since: str


class DeletionView(msgspec.Struct, frozen=True):
    """A deletion that can still be undone."""

    operation_id: str
    undo_until: str


class SubstrateView(msgspec.Struct, frozen=True, kw_only=True):
    """A substrate: one memory server of its own."""

    id: str
    slug: str
    instance_url: str
    mcp_endpoint: str
    status: Status
    status_reason: str | None
    """Why it is `read_only`: the strictest of `restrictions`."""
    restrictions: list[RestrictionView]
    """Every reason that holds; lifting one keeps the others."""
    deletion: DeletionView | None
    asleep: bool
    """Running without a server at the moment; the next request wakes it."""
    plan: PlanId
    atoms: Used
    bootstraps: BootstrapsUsed
    storage_bytes: Used
    observed_at: str | None
    """When the server was last asked for these figures; `null` before the first time."""
    last_request_at: str | None
    last_client: str | None
    subscription_id: str
    operation_id: str | None
    """The operation under way."""
    created_at: str
    ready_at: str | None
    deleted_at: str | None

    @classmethod
    def of(cls, found: SubstrateNow, addresses: Addresses) -> "SubstrateView":
        """As it is shown."""
        row, usage, terms = found.row, found.usage, found.row.terms
        this_month = usage is not None and usage.month == f"{found.now:%Y-%m}"
        return cls(
            id=row.id,
            slug=row.slug,
            instance_url=addresses.instance_url(row.slug),
            mcp_endpoint=addresses.mcp_endpoint(row.slug),
            status=row.status,
            status_reason=row.status_reason,
            restrictions=[RestrictionView(one.reason, iso(one.since)) for one in found.restrictions],
            deletion=_deletion(found),
            asleep=found.asleep,
            plan=terms.id,
            atoms=Used(usage.atoms if usage else 0, terms.atoms),
            bootstraps=BootstrapsUsed(
                usage.bootstraps if usage and this_month else 0, terms.bootstraps_per_month, next_month(found.now)
            ),
            storage_bytes=Used(usage.storage_bytes if usage else 0, terms.storage_bytes),
            observed_at=shown(usage.observed_at) if usage else None,
            last_request_at=shown(usage.last_request_at) if usage else None,
            last_client=usage.last_client if usage else None,
            subscription_id=row.subscription,
            operation_id=found.operation.id if found.operation else None,
            created_at=iso(row.created_at),
            ready_at=shown(row.ready_at),
            deleted_at=shown(row.deleted_at),
        )


class SubstratesView(msgspec.Struct, frozen=True):
    """A page of substrates, the newest first."""

    substrates: list[SubstrateView]
    next_cursor: str | None


class OperationsView(msgspec.Struct, frozen=True):
    """A page of operations, the newest first."""

    operations: list[OperationView]
    next_cursor: str | None


@get("/v1/substrates", operation_id="list_substrates", tags=["Substrates"], summary="Your substrates")
async def list_substrates(
    tools: NamedDependency[Tools], caller: NamedDependency[Bearer], cursor: Cursor = None, limit: Limit = 50
) -> SubstratesView:
    """The newest first, deleted ones too. Figures are those last observed; one asked for alone has newer ones."""
    found = page(await list_action(tools, caller), lambda one: one.row.id, cursor, limit)
    views = [SubstrateView.of(one, tools.addresses) for one in found.items]
    return SubstratesView(views, found.next_cursor)


@get(
    "/v1/substrates/{substrate_id:str}",
    operation_id="get_substrate",
    tags=["Substrates"],
    summary="One substrate",
    responses={304: ResponseSpec(None, description="Nothing has changed.")},
)
async def get_substrate(
    request: Request[Any, Any, State],
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
) -> Response[SubstrateView]:
    """Where it is, how it is, and what it uses: figures at most a few seconds old while it is awake."""
    found = await read_substrate(tools, caller, names.substrate(substrate_id))
    return etags.answer(request, SubstrateView.of(found, tools.addresses), without=("observed_at",))


@delete(
    "/v1/substrates/{substrate_id:str}",
    operation_id="delete_substrate",
    status_code=202,
    tags=["Substrates"],
    summary="Delete a substrate",
)
async def delete_substrate(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    now: Annotated[bool, QueryParameter(description="Erase it at once; needs `confirm`.")] = False,  # noqa: FBT002
    confirm: Annotated[str | None, QueryParameter(description="Its slug, typed.", max_length=64)] = None,
) -> OperationAnswer:
    """Read-only for 72 hours in which it can be undone; then its keys and data are erased and its subscription ends.

    With `now` and its slug typed as `confirm` it is erased at once, and nothing brings it back.
    """
    identifier = names.substrate(substrate_id)
    operation = await delete_action(tools, caller, identifier, at_once=now, confirm=confirm)
    return OperationAnswer(OperationView.of(operation))


@post(
    "/v1/substrates/{substrate_id:str}/undelete",
    operation_id="undelete_substrate",
    status_code=200,
    tags=["Substrates"],
    summary="Undo a deletion",
)
async def undelete_substrate(
    substrate_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> SubstrateView:
    """As if it had never been deleted; within 72 hours."""
    return SubstrateView.of(await undelete_action(tools, caller, names.substrate(substrate_id)), tools.addresses)


@get(
    "/v1/substrates/{substrate_id:str}/receipt",
    operation_id="get_receipt",
    tags=["Substrates"],
    summary="The receipt of a destruction",
)
async def get_receipt(
    substrate_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> Receipt:
    """What was destroyed, when, and when the last backup of it ends."""
    return await receipt_action(tools, caller, names.substrate(substrate_id))


@get(
    "/v1/substrates/{substrate_id:str}/operations",
    operation_id="list_operations",
    tags=["Operations"],
    summary="A substrate's operations",
)
async def list_operations(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> OperationsView:
    """What was done with it, the newest first."""
    operations = await list_operations_action(tools, caller, names.substrate(substrate_id))
    found = page(operations, lambda one: one.id, cursor, limit)
    return OperationsView([OperationView.of(one) for one in found.items], found.next_cursor)


@get(
    "/v1/substrates/{substrate_id:str}/connect",
    operation_id="connect_substrate",
    tags=["Substrates"],
    summary="Connect a client",
)
async def connect_substrate(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    client: Annotated[
        str, QueryParameter(description="One of: " + ", ".join(connect_snippets.CLIENTS) + ".", max_length=64)
    ] = connect_snippets.SEED,
) -> Snippet:
    """What to paste where, for one client. The key is read from an environment variable: it is not shown again."""
    found = await find_substrate(tools, caller, names.substrate(substrate_id))
    return connect_snippets.snippet(
        client,
        slug=found.slug,
        instance_url=tools.addresses.instance_url(found.slug),
        ca_file=tools.ca_file,
        ca_bundle=tools.ca_bundle,
    )


def _deletion(found: SubstrateNow) -> DeletionView | None:
    held = found.deletion
    return DeletionView(held.id, iso(held.held_until)) if held and held.held_until else None


def next_month(now: datetime) -> str:
    """The first moment of the next calendar month in UTC."""
    year, month = (now.year + 1, 1) if now.month == MONTHS else (now.year, now.month + 1)
    return iso(datetime(year, month, 1, tzinfo=UTC))


router = Router(
    "/",
    route_handlers=[
        list_substrates,
        get_substrate,
        delete_substrate,
        undelete_substrate,
        get_receipt,
        list_operations,
        connect_substrate,
    ],
)
