"""Push a substrate's newest policy.

Asked for by a nudge when it has changed, by the sweep when it is due, and now and then without any reason. A push is
no operation: it runs beside any, ordered by (epoch, generation), and may be repeated at will.
"""

from datetime import datetime, timedelta
from typing import Final

from provisioner.places.errors import PlaceGone
from provisioner.programs import carrying
from provisioner.programs.tools import Tools
from shared.contracts.operations import CHANNEL_POLICY
from shared.contracts.signed_policy import PolicyRefused
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger
from shared.lifecycle.substrate import Status
from shared.registry import operations, policies, substrates
from shared.registry.policies import StoredPolicy
from shared.registry.substrates import Substrate

log = logger(__name__)

ALERT_AFTER: Final = timedelta(seconds=10)

STARTED_LATER: Final = frozenset({Status.PROVISIONING, Status.FAILED, Status.DELETING, Status.DELETED})
"""No server shall run for long in these; the program that starts one carries the policy itself. One that does run, such
as that of a start which was canceled, is told of every change all the same."""


async def push_policy(substrate: SubstrateId, tools: Tools) -> None:
    """Carry it, and note what is enforced; tried again, ever more rarely, if it is not."""
    async with tools.database.transaction() as tx:
        row = await substrates.find(tx, substrate)
        stored = await policies.find(tx, substrate)
    if row is None or stored is None:
        return
    try:
        enforced = await carrying.renew(row.spec, stored, tools)
    except PlaceGone:
        await _nothing_to_carry_to(row, tools)
        return
    except PolicyRefused as refusal:
        # The alert, without a traceback: the condition is named.
        log.error("policy cannot be carried", substrate=substrate, reason=str(refusal))  # noqa: TRY400
        enforced = False
    if enforced:
        await _acknowledge(row, stored, tools)
    else:
        await _retry(stored, tools)


async def _acknowledge(row: Substrate, stored: StoredPolicy, tools: Tools) -> None:
    now = tools.clock.now()
    again = None if row.status in STARTED_LATER else carrying.next_push(row.id, now)
    async with tools.database.transaction() as tx:
        await substrates.claim(tx, row.id)
        await policies.update_acknowledged(tx, row.id, stored.order, now, next_push=again)
        await operations.update_followed_revocations(tx, row.id, stored.order, now)
        await tx.notify(CHANNEL_POLICY, row.id)


async def _retry(stored: StoredPolicy, tools: Tools) -> None:
    now = tools.clock.now()
    if now - stored.signed_at >= ALERT_AFTER and stored.acknowledged < stored.order:
        # The alert: a revoked key may still open the door.
        log.error("policy not acknowledged", substrate=stored.substrate, since=_seconds(stored, now))
    async with tools.database.transaction() as tx:
        await policies.update_push_due(tx, stored.substrate, now + carrying.retry_after(now - stored.signed_at))


async def _nothing_to_carry_to(row: Substrate, tools: Tools) -> None:
    now = tools.clock.now()
    if row.status not in STARTED_LATER:
        log.error("a substrate that should run has no folders here", substrate=row.id)
    async with tools.database.transaction() as tx:
        due = None if row.status in STARTED_LATER else now + carrying.REPEAT
        await policies.update_push_due(tx, row.id, due)


def _seconds(stored: StoredPolicy, now: datetime) -> int:
    return int((now - stored.signed_at).total_seconds())
