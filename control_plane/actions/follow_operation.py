"""Follow an operation: as it is now, or as soon as it has ended or changed."""

import time
from collections.abc import Callable

from control_plane.actions import owned
from control_plane.actions.tools import Tools
from shared.contracts.operations import CHANNEL_OPERATION
from shared.kernel.ids import OperationId
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Operation


async def follow_operation(
    tools: Tools,
    caller: Bearer,
    operation: OperationId,
    seconds: float,
    *,
    enough: Callable[[Operation], bool] = lambda found: not found.active,
) -> Operation:
    """The operation, once it is `enough` or `seconds` have passed."""
    ends = time.monotonic() + seconds
    with tools.notices.expect(CHANNEL_OPERATION, operation) as bell:
        while True:
            async with tools.database.transaction() as tx:
                found = await owned.find_operation(tx, caller, operation)
            left = ends - time.monotonic()
            if left <= 0 or enough(found):
                return found
            await bell.wait(left)
