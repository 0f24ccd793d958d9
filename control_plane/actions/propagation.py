"""Following a policy until the tenant's server enforces it, as long as somebody waits for the answer."""

import time
from datetime import datetime, timedelta
from typing import Final

from control_plane.actions.tools import Tools
from shared.contracts.operations import CHANNEL_POLICY
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Status
from shared.registry import policies
from shared.registry.database import Tx
from shared.registry.policies import StoredPolicy
from shared.registry.publishing import publish
from shared.registry.substrates import Substrate

PATIENCE: Final = timedelta(seconds=2)
"""How long an answer is held back for the server's acknowledgement."""

NO_SERVER: Final = frozenset({Status.DELETED})
"""Where nothing can run that takes a policy. A start that failed or was canceled may have left its server behind."""


async def publish_change(tools: Tools, tx: Tx, substrate: Substrate, now: datetime) -> StoredPolicy:
    """Sign and store the policy that the substrate's rows now call for, to be carried at once."""
    status = substrate.status
    return await publish(tx, substrate.id, tools.signer, now, push_due_at=None if status in NO_SERVER else now)


async def is_acknowledged(tools: Tools, substrate: SubstrateId, order: tuple[int, int]) -> bool:
    """Whether the server enforces this policy or a later one."""
    async with tools.database.transaction() as tx:
        stored = await policies.find(tx, substrate)
    # A substrate that is gone has no policy: nothing opens any more.
    return stored is None or stored.acknowledged >= order


async def carry(tools: Tools, substrate: Substrate, order: tuple[int, int]) -> bool:
    """Nudge a worker to carry the policy and wait a little; whether the server enforces it now."""
    if substrate.status in NO_SERVER:
        return False
    with tools.notices.expect(CHANNEL_POLICY, substrate.id) as bell:
        tools.doorbell.push_policy(substrate.id)
        if substrate.status is Status.PROVISIONING:
            return False  # its server is only being started, with this policy; there is nothing to wait for
        ends = time.monotonic() + PATIENCE.total_seconds()
        while not await is_acknowledged(tools, substrate.id, order):
            left = ends - time.monotonic()
            if left <= 0:
                return False
            await bell.wait(left)
    return True
