"""API keys of a substrate: list, create, claim, rotate, revoke. A secret is in exactly one answer."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody

from control_plane.actions.claim_api_key import claim_api_key as claim_action
from control_plane.actions.create_api_key import NewKey
from control_plane.actions.create_api_key import create_api_key as create_action
from control_plane.actions.list_api_keys import list_api_keys as list_action
from control_plane.actions.revoke_api_key import revoke_api_key as revoke_action
from control_plane.actions.rotate_api_key import Grace
from control_plane.actions.rotate_api_key import rotate_api_key as rotate_action
from control_plane.actions.tools import Tools
from control_plane.api import names
from control_plane.api.moments import shown
from control_plane.api.operations import OperationView
from control_plane.api.pages import Cursor, Limit, page
from control_plane.api.tickets import Ticket
from shared.contracts.policy import DEFAULT_SCOPES, Scope
from shared.kernel.clock import iso
from shared.lifecycle.api_key import State
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[
        str, msgspec.Meta(max_length=256, description="Unique among the substrate's keys, such as “laptop”.")
    ]
    scopes: list[Scope] = msgspec.field(default_factory=lambda: list(DEFAULT_SCOPES))
    """What it may do. `erase` must be asked for."""
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """When it stops working; never, if left out."""


class RotationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rotation."""

    grace: Grace = Grace.DAY
    """How long the old secret goes on working."""


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without its secret."""

    id: str
    name: str
    prefix: str
    """The first eight characters of its newest secret."""
    scopes: list[Scope]
    namespaces: list[str] | None
    """The namespaces it is bound to; `null` is all."""
    state: State
    created_at: str
    expires_at: str | None
    claim_by: str | None
    """Of an unclaimed key: when its secret is destroyed."""
    claimed_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    last_client: str | None

    @classmethod
    def of(cls, key: Key) -> "KeyView":
        """As it is shown."""
        return cls(
            id=key.id,
            name=key.name,
            prefix=key.prefix,
            scopes=list(key.scopes),
            namespaces=list(key.namespaces) if key.namespaces is not None else None,
            state=key.state,
            created_at=iso(key.created_at),
            expires_at=shown(key.expires_at),
            claim_by=shown(key.claim_by) if key.state is State.UNCLAIMED else None,
            claimed_at=shown(key.claimed_at),
            revoked_at=shown(key.revoked_at),
            last_used_at=shown(key.last_used_at),
            last_client=key.last_client,
        )


class KeysView(msgspec.Struct, frozen=True):
    """A page of keys, the oldest first."""

    keys: list[KeyView]
    next_cursor: str | None


class ClaimedView(msgspec.Struct, frozen=True):
    """A key and its secret, shown once."""

    key: KeyView
    secret: str


class CreatedView(msgspec.Struct, frozen=True):
    """A key and its secret, shown once."""

    key: KeyView
    secret: str
    propagated: bool
    """Whether the instance knows the key already; if not, it will within moments."""


class RotatedView(msgspec.Struct, frozen=True):
    """A key and its new secret, shown once."""

    key: KeyView
    secret: str
    previous_expires_at: str
    """When the old secret stops working."""
    propagated: bool


class RevokedView(msgspec.Struct, frozen=True):
    """The key is revoked, and whether the instance has acknowledged it."""

    propagated: bool
    operation: OperationView | None = None
    """Ends when the instance has acknowledged it."""


@get("/v1/substrates/{substrate_id:str}/keys", operation_id="list_api_keys", tags=["Keys"], summary="Keys")
async def list_api_keys(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> KeysView:
    """The oldest first, revoked ones too. Secrets are never listed."""
    keys = await list_action(tools, caller, names.substrate(substrate_id))
    found = page(keys, lambda one: one.id, cursor, limit)
    return KeysView([KeyView.of(one) for one in found.items], found.next_cursor)


@post("/v1/substrates/{substrate_id:str}/keys", operation_id="create_api_key", tags=["Keys"], summary="Create a key")
async def create_api_key(
    substrate_id: FromPath[str],
    data: JSONBody[KeyRequest],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> CreatedView:
    """Make a key for one device or person. The secret is in this answer only."""
    wanted = NewKey(data.name, data.scopes, data.expires_at)
    once = ticket.with_secret(201)
    result = await create_action(tools, caller, names.substrate(substrate_id), wanted, once)
    return CreatedView(KeyView.of(result.key), result.secret, result.propagated)


@post(
    "/v1/substrates/{substrate_id:str}/keys/{key_id:str}/claim",
    operation_id="claim_api_key",
    status_code=200,
    tags=["Keys"],
    summary="Claim a key",
)
async def claim_api_key(
    substrate_id: FromPath[str],
    key_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> ClaimedView:
    """Take the secret of the key that was made for you. It is given once; of several claims at once one wins."""
    once = ticket.with_secret(200)
    result = await claim_action(tools, caller, names.substrate(substrate_id), names.key(key_id), once)
    return ClaimedView(KeyView.of(result.key), result.secret)


@post(
    "/v1/substrates/{substrate_id:str}/keys/{key_id:str}/rotate",
    operation_id="rotate_api_key",
    status_code=200,
    tags=["Keys"],
    summary="Rotate a key",
)
async def rotate_api_key(
    substrate_id: FromPath[str],
    key_id: FromPath[str],
    data: JSONBody[RotationRequest],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> RotatedView:
    """Replace a key's secret. The old one goes on working for the grace, so that clients can be changed meanwhile."""
    once = ticket.with_secret(200)
    substrate, key = names.substrate(substrate_id), names.key(key_id)
    result = await rotate_action(tools, caller, substrate, key, data.grace, once)
    return RotatedView(KeyView.of(result.key), result.secret, iso(result.previous_expires_at), result.propagated)


@delete(
    "/v1/substrates/{substrate_id:str}/keys/{key_id:str}",
    operation_id="revoke_api_key",
    status_code=200,
    tags=["Keys"],
    summary="Revoke a key",
    responses={202: ResponseSpec(RevokedView, description="Revoked; the instance has not acknowledged it yet.")},
)
async def revoke_api_key(
    substrate_id: FromPath[str],
    key_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
) -> Response[RevokedView]:
    """End a key for good. The answer is held back up to two seconds for the instance's acknowledgement."""
    result = await revoke_action(tools, caller, names.substrate(substrate_id), names.key(key_id))
    if result.propagated or result.following is None:
        return Response(RevokedView(propagated=result.propagated))
    view = RevokedView(propagated=False, operation=OperationView.of(result.following))
    return Response(view, status_code=202)


router = Router("/", route_handlers=[list_api_keys, create_api_key, claim_api_key, rotate_api_key, revoke_api_key])
