"""What a tenant's server consists of: locked packages and our own code, each named by its content."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.local.trouble import Trouble

ROOT: Final = Path(__file__).resolve().parents[3]
CODE: Final = ("data_plane", "shared")
LEFT_OUT: Final = (Path("shared/registry"), Path("shared/lifecycle"))
"""The control plane's tables and rules: a tenant's server has no use for them and must not learn them."""

PREPARE: Final = Path(__file__).with_name("prepare.py")
DOCKERFILE: Final = Path(__file__).with_name("Dockerfile")


def sources() -> Iterator[Path]:
    """Our own files that are shipped, relative to the repository, in a fixed order."""
    for package in CODE:
        for file in sorted((ROOT / package).rglob("*")):
            relative = file.relative_to(ROOT)
            is_left_out = any(relative.is_relative_to(folder) for folder in LEFT_OUT)
            if file.is_file() and "__pycache__" not in relative.parts and not is_left_out:
                yield relative


def requirements() -> str:
    """The locked packages with their hashes, as pip's file format has it."""
    return uv("export", "--frozen", "--only-group=tenant", "--no-emit-project", "--no-header", "--no-annotate")


def fingerprint(*others: str) -> str:
    """Changes when anything that is shipped changes, or one of `others`."""
    words = hashlib.sha256("\0".join((requirements(), *others)).encode())
    for made_with in (DOCKERFILE, PREPARE):
        words.update(made_with.read_bytes())
    for source in sources():
        words.update(f"\0{source}\0".encode())
        words.update((ROOT / source).read_bytes())
    return words.hexdigest()[:16]


def copy_code(target: Path) -> None:
    """Our own code, readable by everyone: a tenant's user id is not ours."""
    for source in sources():
        place = target / source
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, place)
    open_up(target)


def open_up(folder: Path) -> None:
    """Let every user read, and enter folders, whatever umask the copy was made under."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)


def uv(*words: str, given: str | None = None) -> str:
    """Run the locked uv in the repository; what it printed.

    Raises:
        Trouble: it failed, with its words.
    """
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *words],
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Trouble(
            "The tenant's packages could not be fetched.",
            fix="Check that this machine reaches its Python package index (as pip or uv is set to), then try again.",
            detail=done.stderr[-2000:],
        )
    return done.stdout
