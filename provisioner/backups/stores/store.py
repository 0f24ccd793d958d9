"""What every store can do. One conformance suite holds all of them to it. Everything may be repeated."""

from pathlib import Path
from typing import Protocol

from shared.contracts.backups import StoreKind


class Store(Protocol):
    """Keeps encrypted objects under names such as `sub_…/bak_….age`. Calls block and are made in threads."""

    kind: StoreKind

    def put(self, name: str, file: Path) -> None:
        """Keep a copy of the file under this name, whole or not at all, in place of any earlier one.

        Raises:
            StoreAway: it could not be kept.
        """
        ...

    def fetch(self, name: str, file: Path) -> bool:
        """Write the object to a new file; `False` when there is no such object.

        Raises:
            StoreAway: it could not be fetched.
        """
        ...

    def remove(self, name: str) -> None:
        """There is no such object any more; absent is fine.

        Raises:
            StoreAway: it could not be removed.
        """
        ...

    def list_names(self, prefix: str) -> list[str]:
        """The names that begin so, sorted.

        Raises:
            StoreAway: it could not be asked.
        """
        ...
