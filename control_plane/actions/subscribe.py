"""Subscribe: a subscription, its substrate, the first key and the work that brings it up, all in one transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from control_plane.actions.once import Once
from control_plane.actions.tools import Tools, acting
from shared import plans
from shared.contracts.operations import Kind
from shared.contracts.policy import DEFAULT_SCOPES
from shared.contracts.tenant_spec import Placement
from shared.kernel.errors import AppError
from shared.kernel.ids import KeyId, KeySecretId, OperationId, Slug, SubscriptionId, SubstrateId
from shared.keys import format as key_format
from shared.keys.sealing import seal
from shared.lifecycle.api_key import State as KeyState
from shared.lifecycle.subscription import State
from shared.lifecycle.subscription_times import a_month_after
from shared.registry import accounts, api_keys, audit, capacity, operations, subscriptions, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.api_keys import Key
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.publishing import publish
from shared.registry.subscriptions import Subscription
from shared.registry.substrates import Substrate

FIRST_KEY_NAME: Final = "default"
CLAIM_WITHIN: Final = timedelta(days=7)


class TrialTaken(AppError):
    """The account has had its trial."""

    code = "trial_taken"
    status = 409
    public = "This account has had its trial."
    next_action = "Subscribe without a trial."


class TrialNeedsOperator(AppError):
    """A trial of a dedicated plan takes a whole machine's share, so a person decides."""

    code = "trial_needs_operator"
    status = 403
    public = "A trial of the plan “{plan}” needs an operator's yes, because its instance is dedicated."
    next_action = "Ask support for the trial, try a shared plan, or subscribe without a trial."


class EmailUnconfirmed(AppError):
    """A trial needs a confirmed mail address here."""

    code = "email_unconfirmed"
    status = 403
    public = "A trial needs a confirmed mail address."
    next_action = "Send the code from the letter to POST /v1/confirmations, then try again."


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What was made."""

    subscription: Subscription
    substrate: Substrate
    operation: Operation


async def subscribe(tools: Tools, caller: Bearer, plan_name: str, *, trial: bool, once: Once[Subscribed]) -> Subscribed:
    """Take a plan. The substrate is usable once its operation has succeeded.

    Raises:
        UnknownPlan, TrialTaken, TrialNeedsOperator, EmailUnconfirmed, CapacityExhausted: see there.
    """
    plan = plans.get(plan_name)
    if trial and plan.placement is Placement.DEDICATED:
        raise TrialNeedsOperator(shown={"plan": plan.id.value})
    now = tools.clock.now()
    identifier = SubscriptionId(tools.ids.new("scr"))
    state = State.TRIALING if trial else await tools.payments.open(caller.account, identifier, plan)
    subscription = Subscription(
        id=identifier,
        account=caller.account,
        terms=plan,
        trial=trial,
        state=state,
        created_at=now,
        period_ends_at=now + timedelta(days=plans.TRIAL_DAYS) if trial else a_month_after(now),
        state_since=now,
    )
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        if trial and tools.confirm_mail:
            await _require_confirmed_mail(tx, caller)
        await capacity.reserve(tx, plan)
        await _insert_subscription(tx, subscription)
        substrate = await _insert_substrate(tools, tx, subscription, now)
        await _insert_first_key(tools, tx, substrate, now)
        # The program that starts the server carries the policy, so no push is due before that.
        await publish(tx, substrate, tools.signer, now, push_due_at=None)
        operation = OperationId(tools.ids.new("op"))
        await operations.insert(tx, operation, Kind.START_SUBSTRATE, caller.account, substrate, now)
        facts = {"plan": plan.id.value, "trial": trial, "subscription": identifier, "operation": operation}
        await audit.insert(tx, caller.account, acting(caller), "subscription.taken", now, substrate=substrate, **facts)
        result = await _result(tx, subscription, substrate, operation)
        await once.keep(tx, result, now)
    tools.doorbell.advance(operation)
    return result


async def _require_confirmed_mail(tx: Tx, caller: Bearer) -> None:
    member = await accounts.find_member(tx, caller.member)
    if member is None or member.email_confirmed_at is None:
        raise EmailUnconfirmed


async def _insert_subscription(tx: Tx, subscription: Subscription) -> None:
    try:
        await subscriptions.insert(tx, subscription)
    except subscriptions.TrialTaken:
        raise TrialTaken from None


async def _insert_substrate(tools: Tools, tx: Tx, subscription: Subscription, now: datetime) -> SubstrateId:
    """A substrate under a slug that nobody ever had."""
    substrate = SubstrateId(tools.ids.new("sub"))
    slug: Slug = tools.ids.slug()
    while not await substrates.insert(tx, substrate, subscription.account, subscription.id, slug, now):
        slug = tools.ids.slug()
    return substrate


async def _insert_first_key(tools: Tools, tx: Tx, substrate: SubstrateId, now: datetime) -> None:
    """The key `default`, sealed until it is claimed."""
    secret = key_format.mint()
    key = KeyId(tools.ids.new("key"))
    record = KeySecretId(tools.ids.new("sec"))
    await api_keys.insert(
        tx,
        Key(
            id=key,
            substrate=substrate,
            name=FIRST_KEY_NAME,
            prefix=key_format.shown(secret),
            scopes=DEFAULT_SCOPES,
            namespaces=None,
            member=None,
            state=KeyState.UNCLAIMED,
            created_at=now,
            expires_at=None,
            claim_by=now + CLAIM_WITHIN,
            claimed_at=None,
            revoked_at=None,
            last_used_at=None,
            last_client=None,
        ),
    )
    await api_keys.insert_secret(
        tx,
        api_keys.Secret(
            id=record,
            key=key,
            digest=key_format.digest(secret),
            prefix=key_format.shown(secret),
            created_at=now,
            not_after=None,
            sealed=seal(secret, tools.seals[0], record=record),
            sealed_with=tools.seals[0].id,
        ),
    )


async def _result(tx: Tx, subscription: Subscription, substrate: SubstrateId, operation: OperationId) -> Subscribed:
    made = await operations.find(tx, operation)
    if made is None:
        raise LookupError(operation)
    return Subscribed(subscription, await substrates.get(tx, substrate), made)
