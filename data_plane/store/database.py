"""Connections to the tenant's database, and the transaction: the only maker of a `Tx`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NewType

import apsw

from data_plane.store.errors import StorageFull

Tx = NewType("Tx", apsw.Connection)
"""A connection inside a transaction. Store functions take one and never open one."""

BUSY_MS: Final = 5_000
WAL_KEPT_BYTES: Final = 8 * 1024 * 1024
"""How large the write-ahead log's file may stay after a checkpoint."""


def open_for_writing(path: Path) -> apsw.Connection:
    """The writer's connection. A commit is on disk before it returns: NORMAL may lose acknowledged ones."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", "on")
    connection.pragma("trusted_schema", "off")
    connection.pragma("journal_size_limit", WAL_KEPT_BYTES)
    return connection


def open_for_reading(path: Path) -> apsw.Connection:
    """A reader's connection, which cannot change anything."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("query_only", "on")
    connection.pragma("trusted_schema", "off")
    return connection


@contextmanager
def transaction(connection: apsw.Connection, *, writing: bool = False) -> Iterator[Tx]:
    """All of it or nothing. A reading one sees one moment of the database throughout.

    Raises:
        StorageFull: the disk, or the tenant's share of it, is full.
    """
    connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
    try:
        yield Tx(connection)
        connection.execute("COMMIT")
    except BaseException as error:
        # A full disk makes SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if isinstance(error, apsw.FullError):
            raise StorageFull from None
        raise
