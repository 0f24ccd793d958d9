"""What customers see while the database is away, and that all is well once it is back."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from tests.control_plane.conftest import PASSWORD, served


class Line:
    """A line to the database that a test can cut."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return self._to._replace(netloc=f"{self._to.username}:{self._to.password}@127.0.0.1:{self._port}").geturl()

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for end in list(self._ends):
            end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        self._ends -= {writer, far_writer}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
async def line(settings) -> AsyncIterator[Line]:
    line = Line(settings.registry_url.get_secret_value())
    await line.connect()
    yield line
    await line.cut()


async def test_while_the_database_is_away_callers_are_told_to_come_back(settings, line):
    async with served(settings.model_copy(update={"registry_url": SecretStr(line.url)})) as plane:
        customer = await plane.customer()
        await line.cut()

        answers = [
            await plane.http.get("/readyz"),
            await customer.get("/substrates"),
            await plane.http.post("/v1/login", json={"email": customer.email, "password": PASSWORD}),
        ]

        assert [answer.status_code for answer in answers] == [503, 503, 503]
        assert {answer.json()["code"] for answer in answers} == {"temporarily_unavailable"}
        assert all(answer.headers["retry-after"] for answer in answers)
        assert (await plane.http.get("/healthz")).status_code == 200
        await line.connect()
        assert (await customer.get("/substrates")).status_code == 200
