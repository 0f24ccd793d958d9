"""Blocking calls at the edge, in threads that are waited for even when the caller is cancelled.

A cancelled caller that went on while its thread still worked would give its locks back too early: whatever came next
would race with a call that nobody knows about. Every such call has a time limit of its own.
"""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread; a cancellation takes effect after the call has ended."""
    running = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            try:
                await asyncio.wait({running})
            except asyncio.CancelledError:
                continue  # asked twice; the thread cannot be stopped all the same
        if not running.cancelled():
            running.exception()  # seen, so that asyncio does not report it as forgotten
        raise
