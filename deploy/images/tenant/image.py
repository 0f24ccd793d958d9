"""Building the tenant's image. Its tag is its content, so an image that exists is never built again."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

import docker
import docker.errors

from deploy.images import base, debian
from deploy.images.tenant import contents
from deploy.local.trouble import Trouble

REPOSITORY: Final = "loam-tenant"
GLIBC: Final = "manylinux_2_28"
"""The oldest C library of a base image: Debian 12 has 2.36."""

ARCHITECTURES: Final = {"x86_64": "x86_64", "aarch64": "aarch64", "amd64": "x86_64", "arm64": "aarch64"}


def ensure(client: docker.DockerClient) -> str:
    """The image's reference, after building it unless it is there.

    Raises:
        Trouble: the base, the packages or the build failed.
    """
    foundation = base.ensure(client)
    reference = f"{REPOSITORY}:{contents.fingerprint(str(client.images.get(foundation).id))}"
    if not debian.is_present(client, reference):
        _build(client, foundation, reference)
    return reference


def _build(client: docker.DockerClient, foundation: str, reference: str) -> None:
    with tempfile.TemporaryDirectory(prefix="loam-image-") as name:
        context = Path(name)
        shutil.copyfile(contents.DOCKERFILE, context / "Dockerfile")
        shutil.copyfile(contents.PREPARE, context / "prepare.py")
        contents.copy_code(context / "code")
        _fetch_packages(client, foundation, context / "packages")
        contents.open_up(context)
        try:
            client.images.build(
                path=str(context),
                tag=reference,
                buildargs={"BASE": foundation},
                network_mode="none",
                rm=True,
                forcerm=True,
                labels={"loam.image": "tenant"},
            )
        except docker.errors.BuildError as error:
            said = "".join(str(line.get("stream", line.get("error", ""))) for line in error.build_log)
            raise Trouble(
                "The tenant's image could not be built.", fix="The engine's words are below.", detail=said[-2000:]
            ) from error


def _fetch_packages(client: docker.DockerClient, foundation: str, target: Path) -> None:
    """Fetched on the host, so that the host's own package index, proxy and certificates apply."""
    contents.uv(
        "pip",
        "install",
        "--target",
        str(target),
        "--python-version",
        _python_of(client, foundation),
        "--python-platform",
        f"{ARCHITECTURES[client.info()['Architecture']]}-{GLIBC}",
        "--only-binary=:all:",
        "--require-hashes",
        "--no-deps",
        "--link-mode=copy",
        "--requirements",
        "-",
        given=contents.requirements(),
    )
    shutil.rmtree(target / "bin", ignore_errors=True)  # commands of packages; the server is none of them


def _python_of(client: docker.DockerClient, foundation: str) -> str:
    said: bytes = client.containers.run(
        foundation,
        ["python3", "-c", "import platform; print(platform.python_version())"],
        network_mode="none",
        remove=True,
    )
    return said.decode().strip()
