"""Whether anybody uses the memory: what decides when its server may be put to sleep.

Counted are requests with a good key. Neither strangers nor the host's own probe keep a tenant awake. An open answer
keeps it awake while bytes move, and for an hour after the last of them: a stream that a client forgot ends then.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from data_plane.policy.in_force import Monotonic

STREAM_SECONDS: Final = 3600.0
"""How long an open answer on which nothing moves counts as use."""


class Exchange:
    """One request and its answer."""

    def __init__(self, monotonic: Monotonic) -> None:
        """It begins now."""
        self._monotonic = monotonic
        self.moved_at = monotonic()

    def receiving(self, receive: Any) -> Any:
        """`receive`, noting when the client has sent something."""

        async def noted() -> Any:
            message = await receive()
            self.moved_at = self._monotonic()
            return message

        return noted

    def sending(self, send: Any) -> Any:
        """`send`, noting when the client has been sent something."""

        async def noted(message: Any) -> None:
            await send(message)
            self.moved_at = self._monotonic()

        return noted


class Activity:
    """The open exchanges, and when the last one that has ended was over."""

    def __init__(self, monotonic: Monotonic) -> None:
        """The start counts as use: somebody has woken the server for something."""
        self._monotonic = monotonic
        self._numbers = itertools.count()
        self._open: dict[int, Exchange] = {}
        self._last = monotonic()

    @contextmanager
    def exchange(self) -> Iterator[Exchange]:
        """Count one while the block lasts."""
        number, begun = next(self._numbers), Exchange(self._monotonic)
        self._open[number] = begun
        try:
            yield begun
        finally:
            del self._open[number]
            self._last = self._monotonic()

    def count_open(self) -> int:
        """Exchanges that still count as use."""
        now = self._monotonic()
        return sum(now - one.moved_at < STREAM_SECONDS for one in self._open.values())

    def idle_ms(self) -> int:
        """Since when nobody has used it; zero while somebody does."""
        return 0 if self.count_open() else int((self._monotonic() - self._last) * 1000)
