"""PostgreSQL and Redis as containers: official images where a registry answers, else the distribution's packages."""

from pathlib import Path
from typing import Final

import docker

from deploy.images import debian, registry

ENTRYPOINT: Final = Path(__file__).with_name("postgres-entrypoint")

POSTGRES: Final = debian.Recipe(
    repository="loam-test-postgres",
    packages=("postgresql", "dash", "coreutils", "util-linux"),
    left_out=("*/libLLVM*", "*/llvmjit*", "*/postgresql/*/lib/bitcode/*", "/usr/share/perl/*"),
    hooks=(
        f'install -m 0755 "{ENTRYPOINT}" "$1"/usr/bin/postgres-entrypoint',
        'install -d -m 1777 "$1"/tmp "$1"/var/run/postgresql',
        'printf "root:x:0:0::/:/bin/sh\\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\\n" > "$1"/etc/passwd',
        'printf "root:x:0:\\npostgres:x:999:\\n" > "$1"/etc/group',
        'for b in "$1"/usr/lib/postgresql/*/bin/psql; do ln -sf "${b#"$1"}" "$1"/usr/bin/psql; done',
    ),
    changes=(
        "ENV PGDATA=/var/lib/postgresql/data",
        'ENTRYPOINT ["/usr/bin/postgres-entrypoint"]',
        'CMD ["postgres"]',
        "EXPOSE 5432",
    ),
    files=(ENTRYPOINT,),
)

REDIS: Final = debian.Recipe(
    repository="loam-test-redis",
    packages=("redis-server",),
    hooks=('install -d -m 1777 "$1"/tmp "$1"/data',),
    changes=(
        "WORKDIR /data",
        "USER 999:999",
        'CMD ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--appendonly", "no"]',
        "EXPOSE 6379",
    ),
)


def postgres(client: docker.DockerClient) -> str:
    """The name of an image that starts PostgreSQL as the official one does."""
    return registry.pull(client, "postgres:17-alpine") or debian.ensure(client, POSTGRES)


def redis(client: docker.DockerClient) -> str:
    """The name of an image that starts Redis as the official one does."""
    return registry.pull(client, "redis:7-alpine") or debian.ensure(client, REDIS)
