"""Fixtures that every test may ask for: real services, images, folders and ports."""

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from deploy.images.tenant import image
from shared.registry import migrations
from tests.support import ports, services, verdict

_database_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note every test's kind in the report, so that the pipeline can tell when a kind did not run at all."""
    for item in items:
        kinds = {marker.name for marker in item.iter_markers()} & set(verdict.KINDS)
        item.user_properties.extend((verdict.PROPERTY, kind) for kind in sorted(kinds))


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """The Docker engine. Without one the tests that need it fail and say what to install; they are never skipped."""
    client = services.engine()
    services.sweep(client)
    yield client
    client.close()


@pytest.fixture(scope="session")
def postgres_server(docker_engine: docker.DockerClient) -> Iterator[str]:
    """A real PostgreSQL, as the address of its administrator's database."""
    with services.postgres(docker_engine) as address:
        yield address


@pytest.fixture(scope="session")
def registry_template(postgres_server: str) -> str:
    """The name of a migrated, empty registry that tests get copies of."""
    migrations.apply(services.make_database(postgres_server, services.TEMPLATE))
    return services.TEMPLATE


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """A database of the test's own with nothing in it, for tests of the migrations themselves."""
    name = f"empty_{next(_database_numbers)}"
    yield services.make_database(postgres_server, name)
    services.drop_database(postgres_server, name)


@pytest.fixture
def registry_url(postgres_server: str, registry_template: str) -> Iterator[str]:
    """A registry of the test's own: every migration applied, no rows."""
    name = f"registry_{next(_database_numbers)}"
    yield services.make_database(postgres_server, name, template=registry_template)
    services.drop_database(postgres_server, name)


@pytest.fixture(scope="session")
def redis_server(docker_engine: docker.DockerClient) -> Iterator[str]:
    """A real Redis, as its address without a database number."""
    with services.redis(docker_engine) as address:
        yield address


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """A Redis with nothing in it."""
    import redis  # noqa: PLC0415 - most tests never need it

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return f"{redis_server}/0"


@pytest.fixture(scope="session")
def tenant_image(docker_engine: docker.DockerClient) -> str:
    """The reference of the tenant's image as the code stands; built unless it is there."""
    return image.ensure(docker_engine)


@pytest.fixture
def free_port() -> int:
    """A TCP port on loopback that nothing listens on."""
    return ports.free_port()


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state folder with a short path: pytest's own are too long for the sockets inside (107 bytes)."""
    folder = Path(tempfile.mkdtemp(prefix="lm-", dir="/tmp"))
    folder.chmod(0o755)  # tenants with their own user ids must reach their folders
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
