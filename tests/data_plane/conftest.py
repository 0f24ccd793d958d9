"""A tenant's server for every test that asks for one."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import mcp  # noqa: F401 - the whole SDK first: the server would otherwise import it without its client
import pytest

from tests.support.policies import PolicyBuilder
from tests.support.tenant import MovedClock, Tenant, TenantFiles, serving


@pytest.fixture
def tenant_folder() -> Iterator[Path]:
    """A short path: a socket's has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="lt-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def clock() -> MovedClock:
    """Noon."""
    return MovedClock()


@pytest.fixture
def builder() -> PolicyBuilder:
    """A running substrate with one key that may read, write and export."""
    return PolicyBuilder.with_key()


@pytest.fixture
def files(tenant_folder: Path, builder: PolicyBuilder) -> TenantFiles:
    """The tenant's folders with that policy."""
    return TenantFiles(tenant_folder).prepare(builder.signed())


@pytest.fixture
async def tenant(files: TenantFiles, builder: PolicyBuilder, clock: MovedClock) -> AsyncIterator[Tenant]:
    """A running server."""
    async with serving(files, builder, clock) as running:
        yield running
