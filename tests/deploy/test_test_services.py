"""The services that other tests rely on."""

import psycopg
import pytest
import redis

from shared.registry import migrations
from tests.support import services


@pytest.mark.postgres
def test_a_registry_comes_with_every_table_and_no_rows(registry_url):
    with psycopg.connect(registry_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()

    assert tables is not None
    assert tables[0] > 1


@pytest.mark.postgres
@pytest.mark.parametrize("turn", [1, 2])
def test_no_test_sees_what_another_one_wrote(registry_url, turn):
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE left_behind (turn int)")


@pytest.mark.postgres
def test_applying_the_migrations_again_changes_nothing(registry_url):
    migrations.apply(registry_url)
    migrations.apply(registry_url)


@pytest.mark.redis
def test_redis_answers_and_is_empty(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_containers_of_a_session_that_was_killed_are_removed(docker_engine):
    reference = services.service.redis(docker_engine)
    orphan = docker_engine.containers.create(reference, labels={services.SESSION_LABEL: "999999999"})

    services.sweep(docker_engine)

    assert orphan.id not in {container.id for container in docker_engine.containers.list(all=True, ignore_removed=True)}
