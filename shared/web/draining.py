"""Reading what is left of a request's body before its answer is sent.

An answer that overtakes its request is easily lost. Whoever closes a socket in which sent bytes still wait resets the
connection, and the gateway, which was still sending, then reports a broken upstream instead of the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_BYTES: Final = 16 * 1024 * 1024
"""Twice what the gateway lets through."""

MOST_SECONDS: Final = 30.0
"""For the whole rest; a client with a slow line gets its answer as well."""

PAUSE_SECONDS: Final = 5.0
"""A client that sends nothing for this long is not waited for."""

MOST_AT_ONCE: Final = 64
"""Nobody needs a key to be refused, so strangers may not keep us reading without end. More are answered at once."""


class Draining:
    """An ASGI application whose answers wait until the request was read, within bounds.

    The applications inside do not go on reading after they have begun to answer: they would find the end.
    """

    def __init__(self, app: Any) -> None:
        """Around this application."""
        self._app = app
        self._draining = 0

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not _has_body(scope["headers"]):
            await self._app(scope, receive, send)
            return
        body = _Body(receive, withheld=_is_withheld(scope["headers"]))

        async def send_late(message: Message) -> None:
            if message["type"] == "http.response.start" and body.is_coming and self._draining < MOST_AT_ONCE:
                self._draining += 1
                try:
                    await body.drain()
                finally:
                    self._draining -= 1
            await send(message)

        await self._app(scope, body.receive, send_late)


class _Body:
    """A request's body, and whether all of it was read."""

    def __init__(self, receive: Receive, *, withheld: bool) -> None:
        self._receive = receive
        self._withheld = withheld
        self._is_complete = False

    @property
    def is_coming(self) -> bool:
        """The client is sending, and not all of it was read."""
        return not self._is_complete and not self._withheld

    async def receive(self) -> Message:
        """ASGI's `receive`, noticing the end."""
        self._withheld = False
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_complete = True
        return message

    async def drain(self) -> None:
        """Read the rest and forget it."""
        left = MOST_BYTES
        try:
            async with asyncio.timeout(MOST_SECONDS):
                while not self._is_complete and left > 0:
                    async with asyncio.timeout(PAUSE_SECONDS):
                        message = await self.receive()
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers)


def _is_withheld(headers: list[tuple[bytes, bytes]]) -> bool:
    """The client asks before it sends: RFC 9110, section 10.1.1. Reading would tell it to go on."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in headers)
