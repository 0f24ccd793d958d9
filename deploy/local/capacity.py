"""How full this machine is: what it declares it can hold, and what of it is promised to tenants."""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from deploy.local import postgres
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.registry import capacity
from shared.registry.capacity import Capacity, Room, Taken
from shared.registry.database import Database


@dataclass(frozen=True, slots=True)
class Fullness:
    """What an operator looks at."""

    declared: Capacity
    taken: Taken

    @property
    def rooms(self) -> list[Room]:
        """Everything that is limited."""
        return capacity.rooms(self.declared, self.taken)

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {"declared": asdict(self.declared), "taken": asdict(self.taken)}


def read(settings: LocalSettings) -> Fullness:
    """As the registry has it now.

    Raises:
        Trouble: the registry does not answer.
    """
    try:
        return asyncio.run(_read(postgres.url(settings)))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Trouble("The registry does not answer.", fix="Run `make up`.", detail=str(error)) from error


async def _read(url: str) -> Fullness:
    database = await Database.connect(url, most=1)
    try:
        async with database.transaction() as tx:
            return Fullness(await capacity.get_declared(tx), await capacity.get_taken(tx))
    finally:
        await database.close()
