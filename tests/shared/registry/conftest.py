from collections.abc import AsyncIterator

import pytest

from shared.registry.database import Database
from tests.support.registry import Subscribed, connected, subscribed


@pytest.fixture
async def database(registry_url: str) -> AsyncIterator[Database]:
    async with connected(registry_url) as found:
        yield found


@pytest.fixture
async def tenant(database: Database) -> Subscribed:
    async with database.transaction() as tx:
        return await subscribed(tx)
