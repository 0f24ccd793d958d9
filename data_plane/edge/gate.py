"""The gate: every request on the edge's socket passes here first, whatever it asks for.

Host, origin, key, number of requests at a time; then the request's line in the log. What is not listed as open needs
a key, whether it exists or not.
"""

import time
from typing import Any, Final

import structlog

from data_plane.edge.activity import Activity
from data_plane.edge.answers import refuse
from data_plane.edge.errors import BodyTooLarge, HostUnknown, OriginRefused
from data_plane.edge.needs import CALLER
from data_plane.edge.uses import KeyUses
from data_plane.policy.in_force import InForce, PolicyDesk
from data_plane.store.errors import Busy
from shared.kernel.clock import Clock, to_ms
from shared.kernel.errors import AppError
from shared.kernel.logs import logger
from shared.keys.bearer import token_of
from shared.web.request_ids import request_id_of

log = logger(__name__)

MOST_AT_ONCE: Final = 256
MAX_BODY_BYTES: Final = 8 * 1024 * 1024

OPEN: Final = frozenset({"/healthz", "/readyz", "/register"})
OPEN_BELOW: Final = "/.well-known/"

WHAT: Final = "what"
"""Where a face says more precisely what was asked for, in the request's state."""


class Gate:
    """An ASGI application around the faces."""

    def __init__(self, faces: Any, desk: PolicyDesk, uses: KeyUses, activity: Activity, clock: Clock) -> None:
        """Stand before `faces`."""
        self._faces = faces
        self._desk = desk
        self._uses = uses
        self._activity = activity
        self._clock = clock
        self._running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let the request in, or refuse it; log it either way."""
        if scope["type"] != "http":
            await self._faces(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(request=request_id_of(scope["headers"])):
            await self._log_around(scope, receive, send)

    async def _log_around(self, scope: Any, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        status = 0

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, watched)
        finally:
            state = scope.get("state", {})
            log.info(
                "request",
                method=scope["method"],
                route=scope.get("path_template") or "none",
                what=state.get(WHAT),
                status=status,
                ms=round((time.perf_counter() - began) * 1000, 2),
                key=state[CALLER].key_id if CALLER in state else None,
            )

    async def _pass(self, scope: Any, receive: Any, send: Any) -> None:
        is_use = False
        try:
            if self._running >= MOST_AT_ONCE:
                raise Busy
            headers: list[tuple[bytes, bytes]] = scope["headers"]
            in_force = self._desk.get()
            _check_host(headers, in_force)
            _check_origin(headers, in_force)
            _check_length(headers)
            if scope["path"] not in OPEN and not scope["path"].startswith(OPEN_BELOW):
                caller = self._desk.admit(token_of(_one(headers, b"authorization")))
                scope.setdefault("state", {})[CALLER] = caller
                is_use = not caller.is_probe
                if is_use:
                    self._uses.note(caller.key_id, to_ms(self._clock.now()))
        except AppError as refused:
            # Not counted as running: a stranger whose body is still being read must take nobody's place.
            await refuse(send, refused)
            return
        self._running += 1
        try:
            if is_use:
                with self._activity.exchange() as exchange:
                    await self._faces(scope, exchange.receiving(receive), exchange.sending(send))
            else:
                await self._faces(scope, receive, send)
        finally:
            self._running -= 1


def _check_host(headers: list[tuple[bytes, bytes]], in_force: InForce) -> None:
    host = _one(headers, b"host") or ""
    if host.rpartition(":")[0] and host.rpartition(":")[2].isdigit():
        host = host.rpartition(":")[0]
    if host.lower() not in in_force.hosts:
        raise HostUnknown


def _check_origin(headers: list[tuple[bytes, bytes]], in_force: InForce) -> None:
    for name, value in headers:
        if name == b"origin" and value.decode("latin-1").lower() not in in_force.origins:
            raise OriginRefused


def _check_length(headers: list[tuple[bytes, bytes]]) -> None:
    length = _one(headers, b"content-length") or ""
    if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise BodyTooLarge(shown={"limit": MAX_BODY_BYTES})


def _one(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """A header that must not come twice: two different ones are as good as none."""
    found = {value for name, value in headers if name == wanted}
    return found.pop().decode("latin-1") if len(found) == 1 else None
