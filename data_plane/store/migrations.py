"""The schema's versions: each is a file that is applied once, in order, and never changed afterwards."""

from pathlib import Path
from typing import Final

import apsw

from data_plane.store.database import transaction
from data_plane.store.errors import DatabaseTooNew

FOLDER: Final = Path(__file__).parent

STEPS: Final = ("schema.sql",)
"""The file that leads to version 1, 2, …"""


def migrate(connection: apsw.Connection) -> None:
    """Bring the database to the newest schema. Each step is applied whole or not at all.

    Raises:
        DatabaseTooNew: a later server wrote it.
    """
    found = int(connection.pragma("user_version"))
    if found > len(STEPS):
        raise DatabaseTooNew(shown={"found": found, "known": len(STEPS)})
    for version, step in enumerate(STEPS[found:], start=found + 1):
        with transaction(connection, writing=True) as tx:
            tx.execute((FOLDER / step).read_text(encoding="utf-8"))
            tx.pragma("user_version", version)
