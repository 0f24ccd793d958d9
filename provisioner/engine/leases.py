"""Keeping a lease while a step runs, and noticing when it is lost."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import asyncpg

from shared.kernel.clock import Clock
from shared.kernel.ids import OperationId
from shared.kernel.logs import logger
from shared.registry import operations
from shared.registry.database import Database
from shared.registry.operations import Lease, LeaseLost, Operation

log = logger(__name__)

TERM: Final = timedelta(seconds=15)
"""How long a lease lasts: a killed worker's operation is taken over after this."""

RENEWAL: Final = timedelta(seconds=5)
"""How often it is renewed: two renewals may fail before it is lost."""

RETRY: Final = timedelta(seconds=1)
"""How soon a renewal that failed is tried again."""

TRY_SECONDS: Final = 2.0
"""How long one renewal may hang."""

REGISTRY_AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
)
"""What asyncpg raises while PostgreSQL is restarting, unreachable or full: nothing was written, the lease runs out."""


class Leases:
    """Leases of one worker."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        """`owner` names the worker in the registry, for people who look."""
        self._database = database
        self._clock = clock
        self._owner = owner
        self._asked_at: dict[Lease, datetime] = {}

    async def take(self, operation: OperationId) -> tuple[Operation, Lease] | None:
        """The operation and its lease, or `None` when it is not due, has ended, or is held by another."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            taken = await operations.claim_lease(tx, operation, self._owner, now, now + TERM)
        if taken is not None:
            self._asked_at[taken[1]] = now
        return taken

    async def keep(self, lease: Lease) -> None:
        """Renew until cancelled. Returns when the lease is lost, and raises nothing.

        While the registry does not answer nobody else can take the lease either; but once its term has run out,
        another worker may be the first to reach a registry that is back, so this one must have stopped by then.
        """
        # Counted from before it was asked for, as the registry counts it: the answer may have taken long.
        good_until = self._asked_at.pop(lease) + TERM
        pause = RENEWAL
        while True:
            await self._clock.sleep(pause)
            asked_at = self._clock.now()
            try:
                async with asyncio.timeout(TRY_SECONDS), self._database.transaction() as tx:
                    await operations.update_lease(tx, lease, asked_at + TERM)
            except LeaseLost:
                return
            except REGISTRY_AWAY as error:
                if self._runs_out(good_until):
                    return
                log.warning("lease not renewed", operation=lease.operation, error=type(error).__name__)
                pause = RETRY
            else:
                good_until = asked_at + TERM
                pause = RENEWAL

    async def give_back(self, lease: Lease) -> None:
        """Let another worker go on at once."""
        try:
            async with self._database.transaction() as tx:
                await operations.update_paused(tx, lease, self._clock.now())
        except (LeaseLost, *REGISTRY_AWAY):
            return  # it is another's already, or will be when the term has run out

    def _runs_out(self, good_until: datetime) -> bool:
        another_try = RETRY + timedelta(seconds=TRY_SECONDS)
        return self._clock.now() + another_try >= good_until
