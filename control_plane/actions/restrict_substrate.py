"""What an operator does to a substrate: read_only with a reason, or suspended; and back."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from control_plane.actions.propagation import publish_change
from control_plane.actions.read_substrate import SubstrateNow, with_all
from control_plane.actions.settling import lift, restrict, settle
from control_plane.actions.tools import Tools
from shared.kernel.errors import AppError, NotFound
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Event, Reason, Status
from shared.registry import audit, substrates
from shared.registry.audit import Actor
from shared.registry.database import Tx
from shared.registry.substrates import Substrate

Change = Callable[[Tx, Substrate, datetime], Awaitable[None]]

CLOCKS = frozenset({Reason.PAYMENT, Reason.CANCELED, Reason.DELETION})
"""Follow from a subscription or a deletion, and go away with them."""


class ReasonNotYours(AppError):
    """The reason follows from something else, which has to be changed instead."""

    code = "reason_follows"
    status = 409
    public = "“{reason}” follows from the subscription or a deletion; it is not set or lifted by itself."
    next_action = "Mark the subscription as paid, resume it, or undo the deletion."


async def restrict_substrate(tools: Tools, actor: Actor, substrate: SubstrateId, reason: Reason) -> SubstrateNow:
    """One more reason to be read_only.

    Raises:
        NotFound, ReasonNotYours, TransitionRefused: see there.
    """
    _must_be_free(reason)

    async def change(tx: Tx, row: Substrate, now: datetime) -> None:
        await restrict(tools, tx, row.id, reason, now)

    return await _change(tools, actor, substrate, "substrate.restricted", change, reason=reason.value)


async def lift_restriction(tools: Tools, actor: Actor, substrate: SubstrateId, reason: Reason) -> SubstrateNow:
    """One reason less; the others keep holding.

    Raises:
        NotFound, ReasonNotYours: see there.
    """
    _must_be_free(reason)

    async def change(tx: Tx, row: Substrate, now: datetime) -> None:
        await lift(tools, tx, row.id, reason, now)

    return await _change(tools, actor, substrate, "substrate.restriction_lifted", change, reason=reason.value)


async def suspend_substrate(tools: Tools, actor: Actor, substrate: SubstrateId) -> SubstrateNow:
    """Nothing but erasing, exporting and changing keys, whatever else holds.

    Raises:
        NotFound, TransitionRefused: see there.
    """

    async def change(tx: Tx, row: Substrate, now: datetime) -> None:
        await substrates.update_status(tx, row.id, Event.SUSPENDED, now)
        await publish_change(tools, tx, await substrates.get(tx, row.id), now)

    return await _change(tools, actor, substrate, "substrate.suspended", change)


async def resume_substrate(tools: Tools, actor: Actor, substrate: SubstrateId) -> SubstrateNow:
    """No longer suspended; what restricted it meanwhile does so now.

    Raises:
        NotFound, TransitionRefused: see there.
    """

    async def change(tx: Tx, row: Substrate, now: datetime) -> None:
        await substrates.update_status(tx, row.id, Event.RESUMED, now)
        await settle(tools, tx, row.id, now)

    return await _change(tools, actor, substrate, "substrate.resumed", change)


async def _change(
    tools: Tools, actor: Actor, substrate: SubstrateId, action: str, change: Change, **facts: str
) -> SubstrateNow:
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        if await substrates.find(tx, substrate) is None:
            raise NotFound(substrate=substrate)
        row = await substrates.claim(tx, substrate)
        if row.status in {Status.DELETING, Status.DELETED}:
            raise NotFound(substrate=substrate)
        await change(tx, row, now)
        await audit.insert(tx, row.account, actor, action, now, substrate=substrate, **facts)
        result = await with_all(tx, await substrates.get(tx, substrate), now)
    tools.doorbell.push_policy(substrate)
    return result


def _must_be_free(reason: Reason) -> None:
    if reason in CLOCKS:
        raise ReasonNotYours(shown={"reason": reason.value})
