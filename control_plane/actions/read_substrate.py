"""Read a substrate with what it uses, fresh where that is quickly had."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from control_plane.actions import owned
from control_plane.actions.tools import Tools
from shared.contracts.operations import CHANNEL_USAGE
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Status
from shared.registry import operations, restrictions, substrates
from shared.registry.account_tokens import Bearer
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.restrictions import Restriction
from shared.registry.substrates import Observed, Substrate, Usage

FRESH: Final = timedelta(seconds=2)
"""How old figures may be before the server is asked again."""

PATIENCE: Final = timedelta(milliseconds=500)
"""How long an answer is held back for newer figures."""


@dataclass(frozen=True, slots=True)
class SubstrateNow:
    """A substrate, what it used when last asked, and the work under way on it."""

    row: Substrate
    usage: Usage | None
    operation: Operation | None
    now: datetime
    restrictions: tuple[Restriction, ...] = ()
    """Why it is read_only, the strictest first."""
    deletion: Operation | None = None
    """The one that can still be undone."""

    @property
    def asleep(self) -> bool:
        """Whether it runs but has no server at the moment; the next request wakes it."""
        return self.row.status in {Status.RUNNING, Status.READ_ONLY} and self.row.observed is Observed.ABSENT


async def read_substrate(tools: Tools, caller: Bearer, substrate: SubstrateId) -> SubstrateNow:
    """One substrate. Figures older than two seconds are asked for anew, with half a second's patience."""
    with tools.notices.expect(CHANNEL_USAGE, substrate) as bell:
        found = await look(tools, caller, substrate)
        if not _stale(found):
            return found
        tools.doorbell.observe(substrate)
        ends = time.monotonic() + PATIENCE.total_seconds()
        while _stale(found) and (left := ends - time.monotonic()) > 0:
            await bell.wait(left)
            found = await look(tools, caller, substrate)
    return found


async def find_substrate(tools: Tools, caller: Bearer, substrate: SubstrateId) -> Substrate:
    """One substrate, for what does not depend on its figures."""
    async with tools.database.transaction() as tx:
        return await owned.find_substrate(tx, caller, substrate)


async def list_substrates(tools: Tools, caller: Bearer) -> list[SubstrateNow]:
    """The caller's substrates, the newest first, with the figures there are."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        return [await with_all(tx, row, now) for row in await substrates.list_of(tx, caller.account)]


def _stale(found: SubstrateNow) -> bool:
    """Whether there is a server to ask and its figures are old."""
    if found.row.observed is not Observed.RUNNING or found.row.status in {Status.DELETING, Status.DELETED}:
        return False
    return found.usage is None or found.now - found.usage.observed_at > FRESH


async def look(tools: Tools, caller: Bearer, substrate: SubstrateId) -> SubstrateNow:
    """One substrate with the figures there are."""
    async with tools.database.transaction() as tx:
        return await with_all(tx, await owned.find_substrate(tx, caller, substrate), tools.clock.now())


async def with_all(tx: Tx, row: Substrate, now: datetime) -> SubstrateNow:
    """A substrate with everything that is shown of it."""
    return SubstrateNow(
        row,
        await substrates.find_usage(tx, row.id),
        await operations.find_newest_active(tx, row.id),
        now,
        tuple(await restrictions.list_of(tx, row.id)),
        await operations.find_held(tx, row.id),
    )
