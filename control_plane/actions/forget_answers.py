"""Forgetting the answers that were kept for `Idempotency-Key`."""

from datetime import timedelta
from typing import Final

from control_plane.actions.tools import Tools
from shared.registry import idempotency

KEPT_FOR: Final = timedelta(days=7)
"""Nobody sends a request again after that; with the same key it is a new one."""


async def forget_answers(tools: Tools) -> int:
    """Delete what was kept longer than that; how many there were."""
    moment = tools.clock.now() - KEPT_FOR
    async with tools.database.transaction() as tx:
        return await idempotency.delete_before(tx, moment)
