"""The registry's schema, as numbered SQL files applied in order by yoyo."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from yoyo import get_backend, read_migrations

FOLDER: Final = Path(__file__).parent


def apply(url: str) -> None:
    """Bring the database at a `postgresql://` address to the newest schema. Safe to run at any time, by any number."""
    backend = get_backend(_for_yoyo(url))
    try:
        with backend.lock():
            backend.apply_migrations(backend.to_apply(read_migrations(str(FOLDER))))
    finally:
        backend.connection.close()


def _for_yoyo(url: str) -> str:
    """The address as yoyo takes it: it names the driver, and a unix socket's folder as an option, not as the host."""
    parts = urlsplit(url)._replace(scheme="postgresql+psycopg")
    user, _, host = parts.netloc.rpartition("@")
    if host.upper().startswith("%2F"):
        parts = parts._replace(netloc=f"{user}@", query=f"host={host}")
    return parts.geturl()
