"""The registry in memory: the same SQL, the same functions, the same migrations, on SQLite instead of PostgreSQL.

Only the dialect is translated, so nothing is written a second time. `test_memory_registry` runs one set of promises
against this and against a real PostgreSQL. Transactions come one after the other, as if all were serializable.
"""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import apsw
import asyncpg
import msgspec

from shared.registry import migrations
from shared.registry.database import Row, Tx

MARK: Final = "@"
"""Before a moment, which is stored as text that sorts as time does and that nothing else looks like."""

JSON: Final = frozenset({"jsonb", "json"})

SKIPPED: Final = re.compile(r"(COMMENT|CREATE (OR REPLACE )?FUNCTION|CREATE TRIGGER|CREATE SEQUENCE|CREATE INDEX)\b")
PIECES: Final = re.compile(r"\$\$.*?\$\$|'[^']*'|--[^\n]*|;|[^;$'-]+|.", re.DOTALL)
CLAUSES: Final = re.compile(r",(?![^()]*\))")

DIALECT: Final = (
    (re.compile(r"\bFOR (NO KEY )?UPDATE( OF \w+)?( SKIP LOCKED)?"), ""),
    (re.compile(r"= ANY ?\((\$\d+)(::\w+\[\])?\)"), r"IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"<> ALL ?\((\$\d+)(::\w+\[\])?\)"), r"NOT IN (SELECT value FROM json_each(\1))"),
    (re.compile(r"::\w+(\[\])?"), ""),
)
"""From PostgreSQL's words to SQLite's. Rows need no locks where transactions come one after the other."""


class MemoryRegistry:
    """See `shared.registry.database.Database`."""

    def __init__(self) -> None:
        """With every migration applied and no rows."""
        self.connection = _empty()
        self.heard: list[tuple[str, str]] = []
        self.writer = ""
        """Who has the transaction that is open."""
        self.time_of_writer = datetime.max.replace(tzinfo=UTC)
        """What that one's clock says."""
        self.on_commit: Callable[[], None] = lambda: None
        """Called before each commit that changes something; what it raises undoes the transaction."""
        self._one_at_a_time = asyncio.Lock()
        self._numbers = itertools.count(200_000)
        self.connection.create_scalar_function("nextval", lambda _name: next(self._numbers), 1)
        self.connection.create_scalar_function("pg_notify", self._notify, 2)
        self.connection.create_scalar_function("least", _least)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """See `Database.transaction`."""
        async with self._one_at_a_time:
            before = self.connection.total_changes()
            self.connection.execute("BEGIN")
            try:
                yield Tx(_Connection(self.connection))
                if self.connection.total_changes() != before:
                    self.on_commit()
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def look(self, sql: str) -> list[Row]:
        """Rows as they are in this moment, for who watches from outside. In the middle of a transaction too."""
        return _rows(self.connection, sql, ())

    def _notify(self, channel: str, payload: str) -> None:
        self.heard.append((channel, payload))


class _Connection:
    """As much of asyncpg's connection as `Tx` uses."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def fetch(self, text: str, *arguments: Any) -> list[Row]:
        return self._rows(text, arguments)

    async def fetchrow(self, text: str, *arguments: Any) -> Row | None:
        found = self._rows(text, arguments)
        return found[0] if found else None

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        found = self._rows(text, arguments)
        return next(iter(found[0].values())) if found else None

    async def execute(self, text: str, *arguments: Any) -> str:
        before = self._connection.total_changes()
        self._rows(text, arguments)
        return f"DONE {self._connection.total_changes() - before}"

    def _rows(self, text: str, arguments: tuple[Any, ...]) -> list[Row]:
        try:
            return _rows(self._connection, text, arguments)
        except apsw.ConstraintError as error:
            raise _as_asyncpg(error) from error


def _least(*values: Any) -> Any:
    """As PostgreSQL has it: of those that are not null."""
    return min((value for value in values if value is not None), default=None)


def _rows(connection: apsw.Connection, text: str, arguments: tuple[Any, ...]) -> list[Row]:
    given = {str(number): _stored(value) for number, value in enumerate(arguments, 1)}
    cursor = connection.execute(_translated(text), given)
    names: list[str] | None = None
    found = []
    for values in cursor:
        if names is None:
            names = [name for name, _ in cursor.getdescription()]
        found.append({name: _shown(name, value) for name, value in zip(names, values, strict=True)})
    return found


@cache
def _translated(sql: str) -> str:
    for theirs, ours in DIALECT:
        sql = theirs.sub(ours, sql)
    return sql


def _stored(value: Any) -> Any:
    match value:
        case datetime():
            return MARK + value.astimezone(UTC).isoformat(timespec="microseconds")
        case bool():
            return int(value)
        case dict() | list() | tuple() | msgspec.Struct():
            return msgspec.json.encode(value).decode()
        case _:
            return value


def _shown(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str) and value.startswith(MARK):
        return datetime.fromisoformat(value[1:])
    kind = _types().get(name, "")
    if kind in JSON or kind.endswith("[]"):
        return msgspec.json.decode(value)
    return bool(value) if kind == "boolean" else value


def _as_asyncpg(error: apsw.ConstraintError) -> asyncpg.PostgresError:
    """The same refusal, as asyncpg tells of it."""
    words = str(error)
    if not words.startswith("UNIQUE"):
        return asyncpg.CheckViolationError(words)
    found = asyncpg.UniqueViolationError(words)
    by_name = re.search(r"index '(\w+)'", words)
    found.constraint_name = by_name[1] if by_name else _unique_indexes().get(words.partition(": ")[2], "")
    return found


@cache
def _types() -> dict[str, str]:
    """What type a column of this name has, in whichever table."""
    types: dict[str, str] = {}
    template = _template()
    for (table,) in list(template.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")):
        for _, name, kind, *_rest in template.execute(f"PRAGMA table_info({table})"):
            plain = str(kind).lower()
            if types.setdefault(name, plain) != plain and {plain, types[name]} & {*JSON, "boolean", "text[]"}:
                raise AssertionError(f"columns called {name} differ in type: the double cannot tell them apart")
    return types


@cache
def _unique_indexes() -> dict[str, str]:
    """The index's name for the columns by which SQLite tells of it."""
    found = {}
    template = _template()
    for name, table in list(template.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")):
        columns = [str(column) for _, _, column in template.execute(f"PRAGMA index_info({name})")]
        found[", ".join(f"{table}.{column}" for column in columns)] = name
    return found


@cache
def _template() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for file in sorted(Path(migrations.FOLDER).glob("*.sql")):
        for statement in _statements(file.read_text()):
            for translated in _schema(statement):
                connection.execute(translated)
    return connection


def _empty() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    with connection.backup("main", _template(), "main") as copying:
        copying.step()
    return connection


def _statements(text: str) -> Iterator[str]:
    """Statements without comments; what stands between `$$` is one word."""
    collected = ""
    for piece in PIECES.findall(text):
        if piece == ";":
            yield collected.strip()
            collected = ""
        elif not piece.startswith("--"):
            collected += piece
    if collected.strip():
        yield collected.strip()


def _schema(statement: str) -> Iterator[str]:
    """A statement of a migration as SQLite takes it; checks stay PostgreSQL's business where SQLite has no words."""
    if SKIPPED.match(statement):
        return
    statement = re.sub(r"GENERATED ALWAYS AS IDENTITY", "", statement)
    statement = re.sub(r"\bbigint +PRIMARY KEY", "INTEGER PRIMARY KEY", statement)
    statement = re.sub(r"DEFAULT nextval\('(\w+)'\)", r"DEFAULT (nextval('\1'))", statement)
    statement = re.sub(r"CHECK \(\w+ ~ '[^']*'\)", "", statement)
    # An index over an expression: only then does SQLite name the index that refuses, and not its columns.
    statement = re.sub(r"(CREATE UNIQUE INDEX \w+ ON \w+) \((\w+)\)(\s+WHERE)", r"\1 ((\2 || ''))\3", statement)
    altered = re.match(r"ALTER TABLE (\w+)\s+(.*)", statement, re.DOTALL)
    if altered is None:
        yield _translated(statement)
        return
    for clause in CLAUSES.split(altered[2]):
        if re.match(r"ADD (COLUMN )?(?!CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN)\w+", clause.strip()):
            yield f"ALTER TABLE {altered[1]} {clause.strip()}"
