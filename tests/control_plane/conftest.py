"""The real application over a real database; only workers are played, by hand, so that every moment can be chosen."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from control_plane.actions.tools import Tools
from control_plane.app import create_app
from control_plane.gateways.passwords import Passwords
from control_plane.settings import ControlPlaneSettings
from control_plane.wiring import connected
from shared.contracts.operations import CHANNEL_POLICY
from shared.kernel import logs, secret_files
from shared.kernel.clock import SystemClock
from shared.kernel.ids import OperationId, SubstrateId
from shared.lifecycle.operation import Status
from shared.lifecycle.substrate import Event
from shared.registry import operations, policies, substrates
from shared.registry.database import Database

PASSWORD = "correct horse battery staple"


class MovableClock(SystemClock):
    """The machine's clock, some time ahead; or one that stands still, so that moments can be met exactly."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self._stands_at = None

    def now(self):
        return (self._stands_at or super().now()) + self.ahead

    def stop(self) -> None:
        """Stand still on a whole second, but for what a test moves it."""
        self._stands_at = super().now().replace(microsecond=0)


@dataclass
class RecordingDoorbell:
    """Keeps what it was told; a test may answer a nudge."""

    told: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, Callable[[str], Any]] = field(default_factory=dict)

    def advance(self, operation: OperationId) -> None:
        self._ring("advance", operation)

    def push_policy(self, substrate: SubstrateId) -> None:
        self._ring("push_policy", substrate)

    def observe(self, substrate: SubstrateId) -> None:
        self._ring("observe", substrate)

    async def close(self) -> None:
        """Nothing is under way."""

    def _ring(self, nudge: str, argument: str) -> None:
        self.told.append((nudge, argument))
        if nudge in self.answers:
            self.answers[nudge](argument)


@dataclass
class Worker:
    """What the provisioner would write."""

    database: Database
    clock: MovableClock

    async def start(self, subscribed: dict[str, Any]) -> None:
        """Bring a substrate up."""
        operation, substrate = OperationId(subscribed["operation"]["id"]), SubstrateId(subscribed["substrate"]["id"])
        now = self.clock.now()
        async with self.database.transaction() as tx:
            claimed = await operations.claim_lease(tx, operation, "worker", now, now + timedelta(seconds=30))
            assert claimed is not None
            await operations.update_ended(tx, claimed[1], Status.SUCCEEDED, now, steps=(), error=None)
            await substrates.update_status(tx, substrate, Event.BECAME_READY, now)
            await substrates.update_observed(tx, substrate, substrates.Observed.RUNNING, 1)
        await self.acknowledge(substrate)

    async def acknowledge(self, substrate: str) -> None:
        """Say that the newest policy is enforced."""
        now = self.clock.now()
        async with self.database.transaction() as tx:
            stored = await policies.get(tx, SubstrateId(substrate))
            await policies.update_acknowledged(tx, stored.substrate, stored.order, now, next_push=None)
            await operations.update_followed_revocations(tx, stored.substrate, stored.order, now)
            await tx.notify(CHANNEL_POLICY, substrate)


@dataclass
class Customer:
    """Somebody with an account."""

    http: httpx.AsyncClient
    token: str
    email: str

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return await self.http.request(method, f"/v1{path}", headers=headers, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        if body is not None:
            more["json"] = body
        return await self.call("POST", path, **more)

    async def delete(self, path: str) -> httpx.Response:
        return await self.call("DELETE", path)

    async def erase(self, substrate: str) -> httpx.Response:
        """Delete at once, with the slug typed."""
        slug = (await self.get(f"/substrates/{substrate}")).json()["slug"]
        return await self.delete(f"/substrates/{substrate}?now=true&confirm={slug}")

    async def subscribe(self, plan: str = "starter", *, trial: bool = False) -> dict[str, Any]:
        answer = await self.post("/subscriptions", {"plan": plan, "trial": trial})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def first_key(self, substrate: str) -> str:
        answer = await self.get(f"/substrates/{substrate}/keys")
        return str(answer.json()["keys"][0]["id"])


@dataclass
class Plane:
    """The application under test and everything around it."""

    app: Litestar
    http: httpx.AsyncClient
    tools: Tools
    clock: MovableClock
    doorbell: RecordingDoorbell
    worker: Worker
    state_dir: Path
    numbers: int = 0

    async def customer(self) -> Customer:
        """Somebody new."""
        self.numbers += 1
        email = f"someone{self.numbers}@example.org"
        answer = await self.http.post("/v1/signup", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return Customer(self.http, answer.json()["token"], email)

    async def running(self, customer: Customer, plan: str = "starter") -> str:
        """A substrate that is up, and whose server acknowledges policies at once."""
        subscribed = await customer.subscribe(plan)
        await self.worker.start(subscribed)
        return str(subscribed["substrate"]["id"])


@pytest.fixture(scope="session", autouse=True)
def logged_elsewhere() -> None:
    """The application's log, away from what commands say on standard output."""
    logs.configure("tests", stream=io.StringIO())


@pytest.fixture
def settings(registry_url: str, state_dir: Path) -> ControlPlaneSettings:
    for purpose in secret_files.PURPOSES:
        secret_files.ensure(state_dir / "secrets", purpose)
    return ControlPlaneSettings(
        registry_url=registry_url, broker_url="redis://127.0.0.1:1/0", state_dir=state_dir, domain="loam.localhost"
    )


@asynccontextmanager
async def started(app: Litestar) -> AsyncIterator[None]:
    """The application's lifespan in one task of its own: pytest enters and leaves a fixture in two."""
    up, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            up.set()
            await over.wait()

    task = asyncio.create_task(live())
    arrived = asyncio.create_task(up.wait())
    await asyncio.wait({task, arrived}, return_when=asyncio.FIRST_COMPLETED)
    arrived.cancel()
    if task.done():
        await task
    try:
        yield
    finally:
        over.set()
        await task


@asynccontextmanager
async def served(settings: ControlPlaneSettings, **parts: Any) -> AsyncIterator[Plane]:
    """The application, started."""
    clock, doorbell = MovableClock(), RecordingDoorbell()
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    wired = connected(settings, **{"clock": clock, "doorbell": doorbell, "passwords": cheap, **parts})
    app = create_app(wired)
    async with started(app):
        tools: Tools = app.state.tools
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://app.loam.localhost") as http:
            yield Plane(app, http, tools, clock, doorbell, Worker(tools.database, clock), settings.state_dir)


@pytest.fixture
async def plane(settings: ControlPlaneSettings) -> AsyncIterator[Plane]:
    async with served(settings) as plane:
        yield plane


@pytest.fixture
async def customer(plane: Plane) -> Customer:
    return await plane.customer()


@pytest.fixture
async def stranger(plane: Plane) -> Customer:
    return await plane.customer()
