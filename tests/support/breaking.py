"""Breaking any call that a program makes, before or after its effect.

A `Breaker` counts the calls that go through its proxies. The one with the chosen number raises: either nothing was
done, or everything was done and nobody heard.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


class WorkerDied(BaseException):
    """The worker was killed: nothing of ours runs any more, least of all an exception's handler."""


class CallBroke(Exception):
    """A call failed; the worker lives and sees it."""


@dataclass(slots=True)
class Breaker:
    """Which call breaks, and how."""

    number: int | None = None
    """Counted from 0; `None` only counts."""
    acts_first: bool = False
    error: Callable[[], BaseException] = WorkerDied
    calls: list[str] = field(default_factory=list)
    broken: bool = False

    def wrap(self, tool: Any, name: str) -> Any:
        """The tool, counted and breakable in all its coroutines."""
        return _Proxy(tool, name, self)

    def begins(self, call: str) -> None:
        """A call begins; it may never."""
        self.calls.append(call)
        if self._is_the_one() and not self.acts_first:
            self._break()

    def ended(self, index: int) -> None:
        """A call has had its effect; the answer may get lost."""
        if self.number == index and self.acts_first and not self.broken:
            self._break()

    def _is_the_one(self) -> bool:
        return self.number == len(self.calls) - 1 and not self.broken

    def _break(self) -> None:
        self.broken = True
        raise self.error()


class _Proxy:
    def __init__(self, tool: Any, name: str, breaker: Breaker) -> None:
        self._tool, self._name, self._breaker = tool, name, breaker

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._tool, attribute)
        label = f"{self._name}.{attribute}"
        if inspect.iscoroutinefunction(found):
            return _counted(found, label, self._breaker)
        if attribute == "transaction":
            return _counted_transaction(found, label, self._breaker)
        return found


def _counted(call: Callable[..., Awaitable[Any]], label: str, breaker: Breaker) -> Callable[..., Awaitable[Any]]:
    async def counted(*args: Any, **kwargs: Any) -> Any:
        breaker.begins(label)
        index = len(breaker.calls) - 1
        answer = await call(*args, **kwargs)
        breaker.ended(index)
        return answer

    return counted


def _counted_transaction(begin: Callable[[], Any], label: str, breaker: Breaker) -> Callable[[], Any]:
    @asynccontextmanager
    async def counted() -> AsyncIterator[Any]:
        breaker.begins(label)
        index = len(breaker.calls) - 1
        async with begin() as tx:
            yield tx
        breaker.ended(index)  # committed, and the answer got lost

    return counted
