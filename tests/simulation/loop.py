"""An event loop whose time is a number and whose order is drawn from a seed: the same seed, the same run.

Nothing here waits. When nobody can run, the clock jumps to the next moment somebody waits for.
"""

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(AssertionError):
    """Everybody waits and no time will come: a deadlock."""


class _Jump(selectors.BaseSelector):
    """Instead of waiting for files, lets the time pass at once."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.passed += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return self._keys[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Any:
        return self._keys


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Whoever is ready runs in an order drawn from `chance`, not in the order of asking."""

    def __init__(self, chance: random.Random) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._chance = chance

    def time(self) -> float:
        return self._jump.passed

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]  # asyncio keeps whoever is ready in a deque of this name
        if len(ready) > 1:
            self._chance.shuffle(ready)
        super()._run_once()  # type: ignore[misc]  # one round of the loop


def run(main: Coroutine[Any, Any, T], chance: random.Random) -> T:
    """Run `main` to its end, in no time."""
    loop = SimulatedLoop(chance)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
