"""Subscriptions: taking a plan, and what was taken."""

from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from control_plane.actions.list_subscriptions import list_subscriptions as list_action
from control_plane.actions.read_substrate import SubstrateNow
from control_plane.actions.subscribe import Subscribed
from control_plane.actions.subscribe import subscribe as subscribe_action
from control_plane.actions.tools import Tools
from control_plane.api.operations import OperationView
from control_plane.api.pages import Cursor, Limit, page
from control_plane.api.substrates import SubstrateView
from control_plane.api.tickets import Ticket
from shared.kernel.clock import iso
from shared.lifecycle.subscription import State
from shared.plans import PlanId
from shared.registry.account_tokens import Bearer
from shared.registry.publishing import Addresses
from shared.registry.subscriptions import Subscription


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    plan: Annotated[str, msgspec.Meta(max_length=64, description="A plan's id, from GET /v1/plans.")]
    trial: Annotated[bool, msgspec.Meta(description="14 days without payment, once an account.")] = False


class SubscriptionView(msgspec.Struct, frozen=True):
    """A subscription."""

    id: str
    plan: PlanId
    price_cents: int
    """A month, under the terms it was taken."""
    trial: bool
    state: State
    created_at: str
    period_ends_at: str

    @classmethod
    def of(cls, subscription: Subscription) -> "SubscriptionView":
        """As it is shown."""
        return cls(
            id=subscription.id,
            plan=subscription.terms.id,
            price_cents=subscription.terms.price_cents,
            trial=subscription.trial,
            state=subscription.state,
            created_at=iso(subscription.created_at),
            period_ends_at=iso(subscription.period_ends_at),
        )


class SubscribedView(msgspec.Struct, frozen=True):
    """What was made: the subscription, its substrate, and the operation that brings it up."""

    subscription: SubscriptionView
    substrate: SubstrateView
    operation: OperationView

    @classmethod
    def of(cls, result: Subscribed, addresses: Addresses) -> "SubscribedView":
        """As it is shown."""
        found = SubstrateNow(result.substrate, None, result.operation, result.substrate.created_at)
        return cls(
            SubscriptionView.of(result.subscription),
            SubstrateView.of(found, addresses),
            OperationView.of(result.operation),
        )


class SubscriptionsView(msgspec.Struct, frozen=True):
    """A page of subscriptions, the newest first."""

    subscriptions: list[SubscriptionView]
    next_cursor: str | None


@post("/v1/subscriptions", operation_id="subscribe", status_code=202, tags=["Subscriptions"], summary="Subscribe")
async def subscribe(
    data: JSONBody[NewSubscription],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> SubscribedView:
    """Take a plan. Its substrate is being made: follow the operation to its end, then claim the first key."""

    def show(result: Subscribed) -> SubscribedView:
        return SubscribedView.of(result, tools.addresses)

    return show(await subscribe_action(tools, caller, data.plan, trial=data.trial, once=ticket.answering(202, show)))


@get("/v1/subscriptions", operation_id="list_subscriptions", tags=["Subscriptions"], summary="Your subscriptions")
async def list_subscriptions(
    tools: NamedDependency[Tools], caller: NamedDependency[Bearer], cursor: Cursor = None, limit: Limit = 50
) -> SubscriptionsView:
    """The newest first."""
    found = page(await list_action(tools, caller), lambda one: one.id, cursor, limit)
    return SubscriptionsView([SubscriptionView.of(one) for one in found.items], found.next_cursor)


router = Router("/", route_handlers=[subscribe, list_subscriptions])
