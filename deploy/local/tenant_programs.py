"""The tenant's server for the process runtime: the image's packages and code, as an environment every user can run.

The interpreter that runs Loam may lie in a home folder, which a tenant's user cannot enter; so one that everybody can
execute is looked for.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.images.tenant import contents
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble

OLDEST: Final = (3, 11)
NAMES: Final = ("python3", "python3.11", "python3.12", "python3.13", "python3.14")
PLACES: Final = ("/usr/bin", "/usr/local/bin", "/opt/python/bin")
EXECUTE_BY_OTHERS: Final = 0o001


def ensure(settings: LocalSettings) -> Path:
    """The interpreter of an environment that holds the tenant's server; made unless it is there.

    Raises:
        Trouble: no interpreter serves, or the packages cannot be fetched.
    """
    interpreter = find_interpreter()
    home = settings.programs / "tenant" / contents.fingerprint(str(interpreter))
    python = home / "bin" / "python"
    complete = home / "complete"
    if complete.is_file():
        return python
    shutil.rmtree(home, ignore_errors=True)
    home.parent.mkdir(exist_ok=True)
    contents.uv("venv", "--no-project", "--python", str(interpreter), str(home))
    contents.uv(
        *("pip", "install", "--python", str(python), "--require-hashes", "--no-deps", "--link-mode=copy"),
        *("--only-binary=:all:", "--requirements", "-"),
        given=contents.requirements(),
    )
    packages = next((home / "lib").glob("python3*")) / "site-packages"
    contents.copy_code(packages)
    subprocess.run([str(python), "-OO", str(contents.PREPARE), str(packages)], check=True, stdin=subprocess.DEVNULL)
    contents.open_up(home)
    complete.touch()
    return python


def find_interpreter() -> Path:
    """A Python that tenants may execute.

    Raises:
        Trouble: there is none.
    """
    for candidate in _candidates():
        if (os.geteuid() != 0 or is_open_to_all(candidate)) and _version(candidate) >= OLDEST:
            return candidate
    raise Trouble(
        "No Python from 3.11 on was found that a tenant's own user could run.",
        fix="Install one for all users, for example: apt-get install python3 python3-venv",
    )


def is_open_to_all(program: Path) -> bool:
    """Whether any user can reach and execute it."""
    real = program.resolve()
    return all(part.stat().st_mode & EXECUTE_BY_OTHERS for part in (real, *real.parents))


def _candidates() -> Iterator[Path]:
    if os.geteuid() != 0:
        yield Path(sys.executable).resolve()
    for place in PLACES:
        for name in NAMES:
            found = Path(place, name)
            if found.exists():
                yield found


def _version(program: Path) -> tuple[int, ...]:
    said = subprocess.run(
        [str(program), "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    return tuple(int(part) for part in said.stdout.split()) if said.returncode == 0 else (0,)
