"""The connection to PostgreSQL: transactions, named parameters, notifications.

A `Tx` is made by `Database.transaction` alone, so a function that takes one cannot be called outside a transaction.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Final, Self

import asyncpg
import msgspec

NAMED: Final = re.compile(r"(?<!:):([a-z_]+)")

JSON_TYPES: Final = ("json", "jsonb")

Row = Mapping[str, Any]


class Tx:
    """A transaction under way. SQL names its parameters `:like_this`."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """All rows."""
        text, arguments = _positional(sql, values or {})
        found: list[Row] = await self._connection.fetch(text, *arguments)
        return found

    async def row(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row, or `None`."""
        text, arguments = _positional(sql, values or {})
        found: Row | None = await self._connection.fetchrow(text, *arguments)
        return found

    async def value(self, sql: str, values: Mapping[str, Any] | None = None) -> Any:
        """The first column of the first row, or `None`."""
        text, arguments = _positional(sql, values or {})
        return await self._connection.fetchval(text, *arguments)

    async def run(self, sql: str, values: Mapping[str, Any] | None = None) -> int:
        """How many rows a statement changed."""
        text, arguments = _positional(sql, values or {})
        answer: str = await self._connection.execute(text, *arguments)
        last = answer.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0

    async def notify(self, channel: str, payload: str) -> None:
        """Tell listeners, once this transaction has committed."""
        await self.value("SELECT pg_notify(:channel, :payload)", {"channel": channel, "payload": payload})


class Database:
    """A pool of connections to the registry."""

    def __init__(self, url: str, pool: Any) -> None:
        self._url = url
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, most: int = 10) -> Self:
        """A pool of at most `most` connections; one is opened at once, so that a wrong address fails here."""
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=most,
            init=_prepare,
            timeout=5,
            command_timeout=30,
            server_settings={"timezone": "UTC"},
        )
        return cls(url, pool)

    async def close(self) -> None:
        """Give every connection back."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One transaction: committed at the end of the block, undone when it raises."""
        async with self._pool.acquire() as connection, connection.transaction():
            yield Tx(connection)

    async def listen(self, channels: list[str], heard: Callable[[str, str], None], lost: asyncio.Event) -> Any:
        """A connection of its own that calls `heard(channel, payload)`; `lost` is set when it breaks."""
        connection = await asyncpg.connect(self._url, timeout=5)
        connection.add_termination_listener(lambda _connection: lost.set())
        for channel in channels:
            await connection.add_listener(channel, lambda _c, _pid, name, payload: heard(name, payload))
        return connection


async def _prepare(connection: Any) -> None:
    for name in JSON_TYPES:
        await connection.set_type_codec(
            name,
            encoder=lambda value: msgspec.json.encode(value).decode(),
            decoder=msgspec.json.decode,
            schema="pg_catalog",
        )


@lru_cache(maxsize=512)
def _compiled(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with PostgreSQL's numbered parameters, and their names in order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return NAMED.sub(number, sql), tuple(names)


def _positional(sql: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    text, names = _compiled(sql)
    return text, [values[name] for name in names]
