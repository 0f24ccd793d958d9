"""A worker's tools for tests: a real registry and real folders; runtime, gateway and tenants that can break."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.registry.database import Database
from tests.support.hosts import Host
from tests.support.registry import connected


@pytest.fixture
async def registry(registry_url: str) -> AsyncIterator[Database]:
    """The registry's database."""
    async with connected(registry_url) as database:
        yield database


@pytest.fixture
async def host(registry: Database, state_dir: Path) -> Host:
    """A host with nothing on it."""
    return await Host.make(registry, state_dir)
