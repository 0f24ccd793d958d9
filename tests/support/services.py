"""Real PostgreSQL and Redis for tests, in containers that vanish with the session.

Speed comes from what a test's data may lack: it lies in memory and is never synced.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

# testcontainers reads these when it is imported. Its reaper is an image that may be out of reach: the sweep below
# does its work.
os.environ.setdefault("TC_POOLING_INTERVAL", "0.1")
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
if Path("/.dockerenv").exists():
    os.environ.setdefault("TESTCONTAINERS_CONNECTION_MODE", "docker_host")

import docker
import docker.errors
import docker.models.containers
import psycopg
from psycopg import sql
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer

from deploy.images import service

SESSION_LABEL: Final = "loam.test.session"
"""On every container a test session makes: the process id of that session."""

POSTGRES_OPTIONS: Final = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
POSTGRES_DATA: Final = "/var/lib/postgresql/data"
TEMPLATE: Final = "template_registry"
STARTS: Final = 3

C = TypeVar("C", bound=DockerContainer)


def engine() -> docker.DockerClient:
    """The Docker engine that tests need.

    Raises:
        RuntimeError: none answers, with what to do.
    """
    try:
        client = docker.from_env(timeout=300)
        client.ping()
    except docker.errors.DockerException as error:
        raise RuntimeError(
            "The tests need a Docker engine and none answers. As root on Debian or Ubuntu `make test` installs and "
            "starts one; elsewhere install Docker, start it, and let this user reach its socket."
        ) from error
    return client


def labels() -> dict[str, str]:
    """What every container of this session carries, so that a later one can remove it if this one is killed."""
    return {SESSION_LABEL: str(os.getpid())}


def sweep(client: docker.DockerClient) -> None:
    """Remove containers whose test session no longer runs."""
    for container in client.containers.list(all=True, filters={"label": SESSION_LABEL}, ignore_removed=True):
        if not Path("/proc", container.labels[SESSION_LABEL]).exists():
            try:
                container.remove(force=True, v=True)
            except docker.errors.NotFound:
                continue  # another session swept it at the same moment
            except docker.errors.APIError as error:
                if error.status_code != 409:  # its removal is already under way
                    raise


@contextmanager
def postgres(client: docker.DockerClient) -> Iterator[str]:
    """A PostgreSQL server; the address of its administrator's database."""
    image = service.postgres(client)

    def make() -> PostgresContainer:
        container = PostgresContainer(image, username="loam", password="loam", dbname="loam", driver=None)
        container.with_command(f"postgres {POSTGRES_OPTIONS}")
        container.with_tmpfs_mount(POSTGRES_DATA, "size=1g")
        container.with_kwargs(labels=labels(), shm_size="128m")
        container.ports["5432"] = ("127.0.0.1", None)  # type: ignore[assignment]  # loopback only, as the SDK takes it
        return container

    with _running(make) as container:
        yield container.get_connection_url(host="127.0.0.1")


@contextmanager
def redis(client: docker.DockerClient) -> Iterator[str]:
    """A Redis server; its address without a database number."""
    image = service.redis(client)

    def make() -> RedisContainer:
        container = RedisContainer(image)
        container.with_kwargs(labels=labels())
        container.ports["6379"] = ("127.0.0.1", None)  # type: ignore[assignment]  # loopback only, as the SDK takes it
        return container

    with _running(make) as container:
        yield f"redis://127.0.0.1:{container.get_exposed_port(6379)}"


@contextmanager
def redis_at(client: docker.DockerClient, port: int) -> Iterator[docker.models.containers.Container]:
    """A Redis on a port of the test's choosing, which may be stopped and started again without losing it."""
    container = client.containers.run(
        service.redis(client), detach=True, labels=labels(), ports={"6379/tcp": ("127.0.0.1", port)}
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


@contextmanager
def _running(make: Callable[[], C]) -> Iterator[C]:
    """A container that has started. The engine may pick a port that somebody else takes in the same moment."""
    for tries_left in reversed(range(STARTS)):
        container = make()
        try:
            container.start()
            break
        except docker.errors.APIError:
            container.stop()
            if not tries_left:
                raise
    try:
        yield container
    finally:
        container.stop()


def make_database(server: str, name: str, *, template: str | None = None) -> str:
    """A new database on the server, as a copy of `template` if given; its address."""
    statement = sql.SQL("CREATE DATABASE {name}").format(name=sql.Identifier(name))
    if template is not None:
        # FILE_COPY skips the write-ahead log: the quickest way for a small database nobody will recover.
        statement += sql.SQL(" TEMPLATE {template} STRATEGY file_copy").format(template=sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
    return address_of(server, name)


def drop_database(server: str, name: str) -> None:
    """Remove a database, with whatever is still connected to it."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(name=sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def address_of(server: str, name: str) -> str:
    """The address of another database on the same server."""
    return f"{server.rpartition('/')[0]}/{name}"


if __name__ == "__main__":  # how the pipeline removes what a session that was killed has left
    sweep(engine())
