"""Several reasons to be read_only at once, suspension, and the receipt at the end."""

import pytest

from control_plane.actions.clockwork import carry_out_due
from control_plane.actions.restrict_substrate import (
    ReasonNotYours,
    lift_restriction,
    restrict_substrate,
    resume_substrate,
    suspend_substrate,
)
from shared.kernel.errors import NotFound
from shared.lifecycle.substrate import STRICTNESS, Reason
from shared.lifecycle.transitions import TransitionRefused
from shared.plans import PlanId
from shared.registry import receipts, restrictions
from shared.registry.audit import Actor, ActorKind
from shared.registry.receipts import Destroyed, Receipt

OPERATOR = Actor(ActorKind.STAFF, "operator")


@pytest.fixture
async def substrate(plane, customer):
    return await plane.running(customer)


async def shown(customer, substrate):
    found = (await customer.get(f"/substrates/{substrate}")).json()
    return found["status"], found["status_reason"], [one["reason"] for one in found["restrictions"]]


async def note(plane, substrate, reason):
    """As a worker does, which cannot sign."""
    async with plane.tools.database.transaction() as tx:
        await restrictions.insert(tx, substrate, reason, plane.clock.now())


@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_makes_it_read_only_and_back(plane, customer, substrate, reason):
    await note(plane, substrate, reason)
    await carry_out_due(plane.tools)
    assert await shown(customer, substrate) == ("read_only", reason.value, [reason.value])

    async with plane.tools.database.transaction() as tx:
        await restrictions.delete(tx, substrate, reason)
    await carry_out_due(plane.tools)

    assert await shown(customer, substrate) == ("running", None, [])
    assert ("push_policy", substrate) in plane.doorbell.told


async def test_the_strictest_is_shown_and_lifting_one_keeps_the_others(plane, customer, substrate):
    for reason in reversed(STRICTNESS):
        await note(plane, substrate, reason)
        await carry_out_due(plane.tools)
        assert (await shown(customer, substrate))[:2] == ("read_only", reason.value)
    for place, reason in enumerate((Reason.ROLLED_BACK, Reason.FORKED)):
        await lift_restriction(plane.tools, OPERATOR, substrate, reason)
        assert (await shown(customer, substrate))[:2] == ("read_only", STRICTNESS[place + 1].value)


async def test_one_that_is_resumed_obeys_what_came_meanwhile(plane, customer, substrate):
    await suspend_substrate(plane.tools, OPERATOR, substrate)
    await restrict_substrate(plane.tools, OPERATOR, substrate, Reason.SUPPORT)
    assert (await shown(customer, substrate))[0] == "suspended"

    await resume_substrate(plane.tools, OPERATOR, substrate)

    assert await shown(customer, substrate) == ("read_only", "support", ["support"])


async def test_what_was_deleted_while_suspended_can_be_undone(plane, customer, substrate):
    await suspend_substrate(plane.tools, OPERATOR, substrate)
    await customer.delete(f"/substrates/{substrate}")
    assert await shown(customer, substrate) == ("suspended", None, ["deletion"])

    await customer.post(f"/substrates/{substrate}/undelete")

    assert await shown(customer, substrate) == ("suspended", None, [])


@pytest.mark.parametrize("reason", [Reason.PAYMENT, Reason.CANCELED, Reason.DELETION])
async def test_what_follows_from_something_else_is_not_lifted_by_itself(plane, substrate, reason):
    for act in (restrict_substrate, lift_restriction):
        with pytest.raises(ReasonNotYours):
            await act(plane.tools, OPERATOR, substrate, reason)


async def test_what_is_not_there_or_not_running_is_refused(plane, customer):
    waiting = (await customer.subscribe())["substrate"]["id"]
    with pytest.raises(TransitionRefused):
        await suspend_substrate(plane.tools, OPERATOR, waiting)
    with pytest.raises(NotFound):
        await suspend_substrate(plane.tools, OPERATOR, "sub_none")


async def test_one_that_is_restricted_while_it_is_made_is_read_only_from_the_start(plane, customer):
    subscribed = await customer.subscribe()
    await restrict_substrate(plane.tools, OPERATOR, subscribed["substrate"]["id"], Reason.SUPPORT)

    await plane.worker.start(subscribed)
    await carry_out_due(plane.tools)

    assert (await shown(customer, subscribed["substrate"]["id"]))[:2] == ("read_only", "support")


async def test_there_is_a_receipt_once_it_is_gone(plane, customer, substrate):
    early = await customer.get(f"/substrates/{substrate}/receipt")
    row, now = (await customer.get(f"/substrates/{substrate}")).json(), plane.clock.now()
    receipt = Receipt(
        substrate_id=substrate,
        slug=row["slug"],
        subscription_id=row["subscription_id"],
        plan=PlanId.STARTER,
        created_at=now,
        asked_at=now,
        destroyed_at=now,
        destroyed=Destroyed(atoms=3, storage_bytes=4096, keys=1),
        last_backup_ends_at=None,
    )
    async with plane.tools.database.transaction() as tx:
        account = await tx.value("SELECT account_id FROM substrate")
        await receipts.insert(tx, account, receipt)

    answer = await customer.get(f"/substrates/{substrate}/receipt")

    assert (early.status_code, early.json()["code"]) == (409, "not_destroyed")
    assert answer.json()["destroyed"] == {"atoms": 3, "storage_bytes": 4096, "keys": 1}
