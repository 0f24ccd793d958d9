"""The registry's schema, as numbered SQL files applied in order by yoyo."""

from pathlib import Path
from typing import Final

from yoyo import get_backend, read_migrations

FOLDER: Final = Path(__file__).parent


def apply(url: str) -> None:
    """Bring the database at a `postgresql://` address to the newest schema. Safe to run at any time, by any number."""
    backend = get_backend(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with backend.lock():
            backend.apply_migrations(backend.to_apply(read_migrations(str(FOLDER))))
    finally:
        backend.connection.close()
