"""Change a subscription's plan: up or down, shared to dedicated and back, in place. URL, keys and data stay."""

from control_plane.actions import owned
from control_plane.actions.once import Once
from control_plane.actions.read_substrate import read_substrate
from control_plane.actions.subscribe import Subscribed, TrialNeedsOperator
from control_plane.actions.tools import Tools, acting
from shared import plans
from shared.contracts.operations import Kind
from shared.contracts.tenant_spec import Placement
from shared.kernel.errors import AppError
from shared.kernel.ids import OperationId, SubscriptionId
from shared.lifecycle.subscription import State
from shared.lifecycle.substrate import Status
from shared.plans import Excess, Plan
from shared.registry import accounts, api_keys, audit, capacity, operations, subscriptions, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.database import Tx
from shared.registry.publishing import publish
from shared.registry.subscriptions import Subscription
from shared.registry.substrates import Substrate


class PlanUnchanged(AppError):
    """It is on this plan, under these terms."""

    code = "plan_unchanged"
    status = 409
    public = "This subscription is on the plan “{plan}” already."
    next_action = "Choose another plan from GET /v1/plans."


class PlanNotChangeable(AppError):
    """Only what is paid or on trial, and running, changes its plan."""

    code = "plan_not_changeable"
    status = 409
    public = "The plan of a subscription that is {state}, with a substrate that is {status}, cannot be changed."
    next_action = "Pay or resume the subscription, or wait until its substrate is running; then change the plan."


class PlanTooSmall(AppError):
    """What is there does not fit into the plan."""

    code = "plan_too_small"
    status = 409
    public = "The plan “{plan}” is too small for what is there: {excess}."
    next_action = "Remove that much, then change the plan; nothing was changed."


async def change_plan(
    tools: Tools, caller: Bearer, identifier: SubscriptionId, plan_name: str, once: Once[Subscribed]
) -> Subscribed:
    """Take other terms. They hold from now on; the operation carries them to the running server without a restart.

    Raises:
        UnknownPlan, PlanUnchanged, PlanNotChangeable, PlanTooSmall, TrialNeedsOperator, OperationUnderWay,
            CapacityExhausted: see there.
    """
    plan = plans.get(plan_name)
    await _refresh_figures(tools, caller, identifier)
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        found, row = await owned.claim_subscription(tx, caller, identifier)
        row = _checked(found, row, plan)
        excess = await _excess(tx, row, plan)
        if excess:
            shown = {"plan": plan.id.value, "excess": ", ".join(one.words for one in excess)}
            raise PlanTooSmall(shown=shown, substrate=row.id)
        operation = await _take_terms(tools, tx, caller, row, plan)
        result = Subscribed(
            await subscriptions.get(tx, identifier),
            await substrates.get(tx, row.id),
            await operations.get(tx, operation),
        )
        await once.keep(tx, result, now)
    tools.doorbell.advance(operation)
    return result


async def _take_terms(tools: Tools, tx: Tx, caller: Bearer, row: Substrate, plan: Plan) -> OperationId:
    now = tools.clock.now()
    was = row.terms
    await capacity.reserve(tx, plan, replacing=row.id)
    await subscriptions.update_terms(tx, row.subscription, plan)
    # Carried by the program, which knows what must come first; the sweep does it should the program not.
    later = now + plans.CARRIED_WITHIN
    await publish(tx, row.id, tools.signer, now, push_due_at=later)
    operation = OperationId(tools.ids.new("op"))
    facts = {
        "from": was.id.value,
        "to": plan.id.value,
        "was": {"memory_mb": was.memory_mb, "cpus": was.cpus, "storage_bytes": was.storage_bytes},
    }
    await operations.insert(tx, operation, Kind.CHANGE_PLAN, row.account, row.id, now, facts=facts)
    await audit.insert(
        tx,
        caller.account,
        acting(caller),
        "subscription.plan_changed",
        now,
        substrate=row.id,
        subscription=row.subscription,
        operation=operation,
        **{"from": was.id.value, "to": plan.id.value},
    )
    return operation


def _checked(found: Subscription, row: Substrate | None, plan: Plan) -> Substrate:
    """The substrate, if its plan can be changed to this one at all."""
    changeable = found.state in {State.ACTIVE, State.TRIALING}
    if row is None or not changeable or row.status not in {Status.RUNNING, Status.READ_ONLY}:
        status = row.status.value if row else Status.DELETED.value
        raise PlanNotChangeable(shown={"state": found.state.value, "status": status}, subscription=found.id)
    if found.terms == plan:
        raise PlanUnchanged(shown={"plan": plan.id.value})
    if found.state is State.TRIALING and plan.placement is Placement.DEDICATED:
        raise TrialNeedsOperator(shown={"plan": plan.id.value})
    return row


async def _excess(tx: Tx, row: Substrate, plan: Plan) -> tuple[Excess, ...]:
    """What does not fit, by the newest figures. The tenant's server holds the limits in any case."""
    usage = await substrates.find_usage(tx, row.id)
    return plan.excess(
        atoms=usage.atoms if usage else 0,
        storage_bytes=usage.storage_bytes if usage else 0,
        named_keys=await api_keys.count_live(tx, row.id),
        members=await accounts.count_members(tx, row.account),
    )


async def _refresh_figures(tools: Tools, caller: Bearer, identifier: SubscriptionId) -> None:
    """So that what was just removed counts no more."""
    async with tools.database.transaction() as tx:
        _, row = await owned.claim_subscription(tx, caller, identifier)
    if row is not None:
        await read_substrate(tools, caller, row.id)
