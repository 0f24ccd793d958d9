"""Subscriptions: taking a plan, and what was taken."""

from typing import Annotated

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from control_plane.actions.cancel_subscription import SubscriptionNow
from control_plane.actions.cancel_subscription import cancel_subscription as cancel_action
from control_plane.actions.cancel_subscription import resume_subscription as resume_action
from control_plane.actions.change_plan import change_plan as change_action
from control_plane.actions.list_subscriptions import list_subscriptions as list_action
from control_plane.actions.list_subscriptions import read_subscription as read_action
from control_plane.actions.read_substrate import SubstrateNow
from control_plane.actions.subscribe import Subscribed
from control_plane.actions.subscribe import subscribe as subscribe_action
from control_plane.actions.tools import Tools
from control_plane.api import names
from control_plane.api.operations import OperationView
from control_plane.api.pages import Cursor, Limit, page
from control_plane.api.substrates import SubstrateView
from control_plane.api.tickets import Ticket
from shared.kernel.clock import iso
from shared.lifecycle.subscription import State
from shared.lifecycle.subscription_times import Due
from shared.plans import PlanId
from shared.registry.account_tokens import Bearer
from shared.registry.publishing import Addresses


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    plan: Annotated[str, msgspec.Meta(max_length=64, description="A plan's id, from GET /v1/plans.")]
    trial: Annotated[bool, msgspec.Meta(description="14 days without payment, once an account.")] = False


class WantedPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which plan to change to."""

    plan: Annotated[str, msgspec.Meta(max_length=64, description="A plan's id, from GET /v1/plans.")]


class ComingView(msgspec.Struct, frozen=True):
    """One thing that is to come."""

    what: Due
    at: str


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
    coming: list[ComingView]
    """What happens and when, if nobody does anything; the next first."""

    @classmethod
    def of(cls, found: SubscriptionNow) -> "SubscriptionView":
        """As it is shown."""
        subscription = found.row
        return cls(
            id=subscription.id,
            plan=subscription.terms.id,
            price_cents=subscription.terms.price_cents,
            trial=subscription.trial,
            state=subscription.state,
            created_at=iso(subscription.created_at),
            period_ends_at=iso(subscription.period_ends_at),
            coming=[ComingView(one.what, iso(one.at)) for one in found.coming],
        )


class SubscribedView(msgspec.Struct, frozen=True):
    """The subscription, its substrate, and the operation that brings it up or changes its size."""

    subscription: SubscriptionView
    substrate: SubstrateView
    operation: OperationView

    @classmethod
    def of(cls, result: Subscribed, addresses: Addresses) -> "SubscribedView":
        """As it is shown."""
        found = SubstrateNow(result.substrate, None, result.operation, result.substrate.created_at)
        return cls(
            SubscriptionView.of(SubscriptionNow.untouched(result.subscription)),
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
    found = page(await list_action(tools, caller), lambda one: one.row.id, cursor, limit)
    return SubscriptionsView([SubscriptionView.of(one) for one in found.items], found.next_cursor)


@get(
    "/v1/subscriptions/{subscription_id:str}",
    operation_id="get_subscription",
    tags=["Subscriptions"],
    summary="One subscription",
)
async def get_subscription(
    subscription_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> SubscriptionView:
    """How it stands, and what is to come."""
    return SubscriptionView.of(await read_action(tools, caller, names.subscription(subscription_id)))


@post(
    "/v1/subscriptions/{subscription_id:str}/cancel",
    operation_id="cancel_subscription",
    status_code=200,
    tags=["Subscriptions"],
    summary="Cancel a subscription",
)
async def cancel_subscription(
    subscription_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> SubscriptionView:
    """It runs to the period's end, can be read and exported for 30 days more, then is destroyed: `coming` has dates."""
    return SubscriptionView.of(await cancel_action(tools, caller, names.subscription(subscription_id)))


@post(
    "/v1/subscriptions/{subscription_id:str}/resume",
    operation_id="resume_subscription",
    status_code=200,
    tags=["Subscriptions"],
    summary="Undo a cancellation",
)
async def resume_subscription(
    subscription_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> SubscriptionView:
    """As if it had never been canceled; before the period's end only."""
    return SubscriptionView.of(await resume_action(tools, caller, names.subscription(subscription_id)))


@post(
    "/v1/subscriptions/{subscription_id:str}/change",
    operation_id="change_plan",
    status_code=202,
    tags=["Subscriptions"],
    summary="Change the plan",
)
async def change_plan(
    subscription_id: FromPath[str],
    data: JSONBody[WantedPlan],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> SubscribedView:
    """Up or down, in place: address, keys and data stay, nothing restarts. What does not fit is refused and named."""

    def show(result: Subscribed) -> SubscribedView:
        return SubscribedView.of(result, tools.addresses)

    once = ticket.answering(202, show)
    return show(await change_action(tools, caller, names.subscription(subscription_id), data.plan, once))


router = Router(
    "/",
    route_handlers=[
        subscribe,
        list_subscriptions,
        get_subscription,
        cancel_subscription,
        resume_subscription,
        change_plan,
    ],
)
