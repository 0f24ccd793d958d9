"""The image that a tenant's server stands on: Python and what it needs to run, nothing to log in with."""

from typing import Final

import docker

from deploy.images import debian, registry
from deploy.local import packages
from deploy.local.trouble import Trouble

PULLED: Final = "python:3.12-slim"

BUILT: Final = debian.Recipe(
    repository="loam-base",
    packages=("python3",),
    left_out=("/usr/share/bash-completion/*", "/usr/share/lintian/*", "/usr/share/python3/*", "/usr/lib/*/gconv/*"),
    hooks=(
        'install -d -m 1777 "$1"/tmp',
        'printf "root:x:0:0::/:/nonexistent\\ntenant:x:65532:65532::/tmp:/nonexistent\\n" > "$1"/etc/passwd',
        'printf "root:x:0:\\ntenant:x:65532:\\n" > "$1"/etc/group',
    ),
    changes=("ENV PATH=/usr/local/bin:/usr/bin", "ENV LANG=C.UTF-8"),
)


def ensure(client: docker.DockerClient) -> str:
    """The base image's name; one that is already here is used before any registry is asked."""
    try:
        built = BUILT.tag(packages.codename())
    except Trouble:
        built = None  # not a system whose packages we can use: only a registry helps
    if built is not None and debian.is_present(client, built):
        return built
    return registry.pull(client, PULLED) or debian.ensure(client, BUILT)
