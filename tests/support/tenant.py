"""A tenant's server for tests: the real one on real unix sockets, in this process or as its own."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from data_plane import server
from data_plane.settings import TenantSettings
from shared.kernel.ids import SubstrateId
from tests.support.policies import HOST, SUBSTRATE, PolicyBuilder, trust_json
from tests.support.waiting import until

FOLDERS: Final = ("data", "keys", "host", "edge", "control")
NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(slots=True)
class MovedClock:
    """A clock that only the test moves, with a monotonic side."""

    moment: datetime = NOON
    seconds: float = 0.0

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, pause: timedelta) -> None:
        self.move(pause)

    def monotonic(self) -> float:
        return self.seconds

    def move(self, by: timedelta) -> None:
        self.moment += by
        self.seconds += by.total_seconds()


@dataclass(slots=True)
class TenantFiles:
    """A tenant's folders, as the host prepares them."""

    root: Path

    def prepare(self, policy: str | None) -> "TenantFiles":
        for name in FOLDERS:
            (self.root / name).mkdir(exist_ok=True)
        (self.root / "host" / "trust").write_bytes(trust_json())
        if policy is not None:
            (self.root / "host" / "policy").write_text(policy)
        return self

    @property
    def live_socket(self) -> Path:
        return self.root / "edge" / "live.sock"

    @property
    def control_socket(self) -> Path:
        return self.root / "control" / "control.sock"

    def settings(self) -> TenantSettings:
        return TenantSettings(substrate=SubstrateId(SUBSTRATE), **{f"{name}_dir": self.root / name for name in FOLDERS})

    def environment(self) -> dict[str, str]:
        folders = {f"TENANT_{name.upper()}_DIR": str(self.root / name) for name in FOLDERS}
        return {**os.environ, "TENANT_SUBSTRATE": SUBSTRATE, **folders}


@dataclass(slots=True)
class Tenant:
    """A running server and who talks to it."""

    files: TenantFiles
    builder: PolicyBuilder
    clock: MovedClock
    edge: httpx.AsyncClient = field(repr=False)
    """Without a key."""
    control: httpx.AsyncClient = field(repr=False)

    def headers(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {key or self.builder.key}"}

    async def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        """A call with the first key, unless another is given."""
        headers = {**self.headers(key), **more.pop("headers", {})}
        return await self.edge.request(method, path, headers=headers, **more)

    async def save(self, *atoms: Any, key: str | None = None, **order: Any) -> httpx.Response:
        """Save drafts; a text stands for a draft with that content."""
        drafts = [{"content": atom} if isinstance(atom, str) else atom for atom in atoms]
        return await self.call("POST", "/v1/atoms", key=key, json={"atoms": drafts, **order})

    async def saved(self, *atoms: Any, **order: Any) -> list[dict[str, Any]]:
        """As `save`, and it must have worked."""
        answer = await self.save(*atoms, **order)
        assert answer.status_code == 200, answer.text
        receipts: list[dict[str, Any]] = answer.json()["atoms"]
        return receipts

    async def found(self, query: str, **order: Any) -> list[str]:
        """Names that a search finds, the best first."""
        answer = await self.call("POST", "/v1/search", json={"query": query, **order})
        assert answer.status_code == 200, answer.text
        return [result["name"] for result in answer.json()["results"]]

    async def push(self, builder: PolicyBuilder) -> httpx.Response:
        """Push a policy, and go on with it when it was applied."""
        answer = await self.control.put("/policy", content=builder.signed())
        if answer.status_code == 200:
            self.builder = builder
        return answer

    async def tool(
        self, name: str, arguments: dict[str, Any] | None = None, *, key: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """The result of an MCP tool call, over the current revision."""
        message = await self.mcp("tools/call", {"name": name, "arguments": arguments or {}}, key=key, **more)
        result: dict[str, Any] = message["result"]
        return result

    async def mcp(self, method: str, params: dict[str, Any], *, key: str | None = None, **more: Any) -> dict[str, Any]:
        """A JSON-RPC answer to a stateless request of the revision 2025-06-18, which needs no handshake either."""
        answer = await self.call(
            "POST",
            "/mcp",
            key=key,
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
            headers={"MCP-Protocol-Version": "2025-06-18", **more.pop("headers", {})},
            **more,
        )
        assert answer.status_code == 200, answer.text
        return message_of(answer)


def message_of(answer: httpx.Response) -> dict[str, Any]:
    """The JSON-RPC message in an answer, whichever of the two forms it has."""
    if answer.headers["content-type"].startswith("application/json"):
        message: dict[str, Any] = answer.json()
        return message
    data = [line.removeprefix("data: ") for line in answer.text.split("\r\n") if line.startswith("data: ")]
    message = json.loads(data[-1])
    assert isinstance(message, dict)
    return message


@asynccontextmanager
async def serving(files: TenantFiles, builder: PolicyBuilder, clock: MovedClock) -> AsyncIterator[Tenant]:
    """The server in this process and loop."""
    stopping = asyncio.Event()
    running = asyncio.create_task(
        server.run(files.settings(), clock=clock, monotonic=clock.monotonic, stopping=stopping)
    )
    await asyncio.to_thread(until, lambda: files.live_socket.exists() or running.done(), what="the edge's socket")
    async with edge_client(files.live_socket) as edge, edge_client(files.control_socket) as control:
        yield Tenant(files=files, builder=builder, clock=clock, edge=edge, control=control)
    stopping.set()
    await running


def edge_client(path: Path) -> httpx.AsyncClient:
    """A client of one of the sockets, which calls it by the tenant's host name."""
    return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)), base_url=f"http://{HOST}", timeout=30)


@contextmanager
def own_process(files: TenantFiles, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The server as its own process, as a runtime starts it. Ended by force if it still runs."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-OO", "-m", "data_plane"],
            env={**files.environment(), **environment},
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@contextmanager
def wait_until_answering(files: TenantFiles, process: subprocess.Popen[bytes], key: str) -> Iterator[httpx.Client]:
    """A client with the key, once the server accepts connections."""

    def accepts() -> bool:
        assert process.poll() is None, "the server ended"
        with socket.socket(socket.AF_UNIX) as trying:
            return trying.connect_ex(str(files.live_socket)) == 0

    until(accepts, what="the server to accept a connection", seconds=30)
    transport = httpx.HTTPTransport(uds=str(files.live_socket))
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(transport=transport, base_url=f"http://{HOST}", headers=headers, timeout=30) as client:
        yield client
