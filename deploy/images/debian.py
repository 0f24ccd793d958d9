"""Images made from the distribution's own packages, for machines that reach no image registry.

mmdebstrap writes a root file system from the same package sources that this machine installs from; the engine
imports it. Nothing is asked of any registry.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
import docker.errors

from deploy.local import packages
from deploy.local.trouble import Trouble

OFFICIAL_SOURCES: Final = (
    Path("/etc/apt/sources.list"),
    Path("/etc/apt/sources.list.d/debian.sources"),
    Path("/etc/apt/sources.list.d/ubuntu.sources"),
)
"""Only the distribution's own: a machine may have others that an image has no business with."""

LEFT_OUT: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
MERGED_USR: Final = Path("/usr/share/mmdebstrap/hooks/merged-usr")

LEAN_HOOKS: Final = (
    'rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
    'rm -rf "$1"/var/lib/apt/lists "$1"/var/cache/apt',
)
"""What of this machine would otherwise travel in the image."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One image: which packages, how much of a system around them, and how it starts."""

    repository: str
    packages: tuple[str, ...]
    variant: str = "extract"
    """`extract` only unpacks (no shell, no package manager); `minbase` is a small system with users and scripts."""
    hooks: tuple[str, ...] = ()
    """Shell lines with `$1` as the new root, run before it is packed."""
    left_out: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """Dockerfile instructions that the import understands: USER, ENV, ENTRYPOINT, …"""
    files: tuple[Path, ...] = ()
    """What the hooks copy in; their content counts as part of the recipe."""

    def tag(self, suite: str) -> str:
        """The image's full name: the same recipe has the same name, another one never has."""
        words = hashlib.sha256(repr((self, LEFT_OUT, LEAN_HOOKS)).encode() + suite.encode())
        for file in self.files:
            words.update(file.read_bytes())
        return f"{self.repository}:{suite}-{words.hexdigest()[:12]}"


def ensure(client: docker.DockerClient, recipe: Recipe) -> str:
    """The image's name, after building it unless it is there.

    Raises:
        Trouble: this machine cannot build it, with what to install.
    """
    suite = packages.codename()
    tag = recipe.tag(suite)
    if is_present(client, tag):
        return tag
    packages.require(
        "mmdebstrap", why="no image registry answers, so images are built from the distribution's packages"
    )
    with tempfile.TemporaryDirectory(prefix="loam-image-") as folder:
        archive = Path(folder) / "root.tar"
        _write_root(recipe, suite, archive)
        repository, _, label = tag.rpartition(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=label, changes=list(recipe.changes))
    return tag


def is_present(client: docker.DockerClient, reference: str) -> bool:
    """Whether the engine already has the image."""
    try:
        client.images.get(reference)
    except docker.errors.ImageNotFound:
        return False
    return True


def command(recipe: Recipe, suite: str, archive: Path, sources: list[Path], proxy: str | None) -> list[str]:
    """The mmdebstrap call: plain words, testable without running them."""
    words = ["mmdebstrap", f"--variant={recipe.variant}", "--quiet"]
    included = list(recipe.packages)
    if MERGED_USR.is_dir():
        words.append(f"--hook-dir={MERGED_USR}")
        included.insert(0, "usr-is-merged")
    words.append(f"--include={','.join(included)}")
    words.extend(f"--dpkgopt=path-exclude={pattern}" for pattern in (*LEFT_OUT, *recipe.left_out))
    words.append('--aptopt=Apt::Install-Recommends "false"')
    if proxy:
        words.append(f'--aptopt=Acquire::http::Proxy "{proxy}"')
    # A root that is only unpacked has no customize step.
    step = "extract" if recipe.variant == "extract" else "customize"
    words.extend(f"--{step}-hook={hook}" for hook in (*recipe.hooks, *LEAN_HOOKS))
    return [*words, suite, str(archive), *(str(source) for source in sources)]


def _write_root(recipe: Recipe, suite: str, archive: Path) -> None:
    sources = [file for file in OFFICIAL_SOURCES if file.is_file() and file.stat().st_size]
    # The hooks' `copy-in` starts a helper that a narrow PATH (that of a service) would not find.
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    if shutil.which("mmdebstrap", path=path) is None:
        raise Trouble("mmdebstrap was installed but is not on PATH.", fix="Add /usr/bin to PATH.")
    done = subprocess.run(
        command(recipe, suite, archive, sources, packages.proxy()),
        env={**os.environ, "PATH": path, "TMPDIR": str(archive.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Trouble(
            f"The image {recipe.repository} could not be built from packages.",
            fix="Check that `apt-get update` works on this machine, then run the command again.",
            detail=done.stderr[-2000:],
        )
