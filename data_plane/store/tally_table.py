"""Numbers that are kept while they change: every statement that touches `tally`, and the database's size."""

from data_plane.store.database import Tx

LIVE_ATOMS = "live_atoms"


def get_tally(tx: Tx, name: str) -> int:
    """One number."""
    return int(tx.execute("SELECT value FROM tally WHERE name = :name", {"name": name}).get)


def update_tally(tx: Tx, name: str, change: int) -> None:
    """Count up or down."""
    tx.execute("UPDATE tally SET value = value + :change WHERE name = :name", {"name": name, "change": change})


def get_policy_order(tx: Tx) -> tuple[int, int]:
    """The highest (epoch, generation) of any policy that was ever applied."""
    return get_tally(tx, "policy_epoch"), get_tally(tx, "policy_generation")


def update_policy_order(tx: Tx, order: tuple[int, int]) -> None:
    """Remember a policy's (epoch, generation) as the highest."""
    for name, value in zip(("policy_epoch", "policy_generation"), order, strict=True):
        tx.execute("UPDATE tally SET value = :value WHERE name = :name", {"name": name, "value": value})


def get_bytes_used(tx: Tx) -> int:
    """The database's size on disk, but for the write-ahead log, which is bounded and comes back."""
    return int(tx.pragma("page_count")) * int(tx.pragma("page_size"))


def update_bytes_limit(tx: Tx, most: int) -> None:
    """Let the database's file grow to `most` bytes and no further: SQLite itself refuses the page above."""
    tx.pragma("max_page_count", max(1, most // int(tx.pragma("page_size"))))
