"""The doorbell: telling workers that there is work, without ever waiting for it.

A nudge is a courtesy. The row that says what is due has been committed; when the broker is down, the provisioner's
sweep finds it within a second. So publishing happens beside the request, in a thread, with short timeouts, and a
failure is logged once and forgotten.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

from celery import Celery

from shared.contracts.operations import NUDGE_ADVANCE, NUDGE_OBSERVE, NUDGE_PUSH_POLICY
from shared.kernel.ids import OperationId, SubstrateId
from shared.kernel.logs import logger

log = logger(__name__)

SOCKET_SECONDS: Final = 1.0
"""How long one attempt may wait for the broker."""

WAITING_MOST: Final = 500
"""Nudges that may wait for their turn; more would only say what the sweep finds anyway."""

CLOSING_SECONDS: Final = 2.0


class Doorbell(Protocol):
    """Who is told about work."""

    def advance(self, operation: OperationId) -> None:
        """Somebody should carry on with this operation."""
        ...

    def push_policy(self, substrate: SubstrateId) -> None:
        """Somebody should carry this substrate's newest policy."""
        ...

    def observe(self, substrate: SubstrateId) -> None:
        """Somebody should ask this substrate's server for its usage."""
        ...

    async def close(self) -> None:
        """Let nudges under way end, for a moment."""
        ...


class CeleryDoorbell:
    """Nudges as Celery messages."""

    def __init__(self, broker_url: str) -> None:
        """A doorbell on this broker; nothing is connected before the first nudge."""
        self._celery = Celery("control_plane", broker=broker_url, set_as_current=False)
        self._celery.conf.update(
            broker_connection_timeout=SOCKET_SECONDS,
            broker_transport_options={
                "socket_timeout": SOCKET_SECONDS,
                "socket_connect_timeout": SOCKET_SECONDS,
                "max_retries": 1,
            },
            task_ignore_result=True,
        )
        # One thread: messages keep their order, and a broker that hangs holds up nobody but them.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="doorbell")
        self._waiting: set[asyncio.Future[None]] = set()
        self._down = False

    def advance(self, operation: OperationId) -> None:
        """See `Doorbell.advance`."""
        self._ring(NUDGE_ADVANCE, operation)

    def push_policy(self, substrate: SubstrateId) -> None:
        """See `Doorbell.push_policy`."""
        self._ring(NUDGE_PUSH_POLICY, substrate)

    def observe(self, substrate: SubstrateId) -> None:
        """See `Doorbell.observe`."""
        self._ring(NUDGE_OBSERVE, substrate)

    async def close(self) -> None:
        """See `Doorbell.close`."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=CLOSING_SECONDS)
        self._thread.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._celery.close)

    def _ring(self, task: str, argument: str) -> None:
        if len(self._waiting) >= WAITING_MOST:
            return
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._publish, task, argument)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)

    def _publish(self, task: str, argument: str) -> None:
        """In the thread. Only the first failure of a row of them is logged: the broker being down is one event."""
        try:
            send: Callable[..., Any] = self._celery.send_task
            send(task, args=[argument], retry=False, ignore_result=True)
        except Exception as error:  # noqa: BLE001 - kombu and redis raise many kinds; none may reach a request
            if not self._down:
                log.warning("nudges do not get through; the sweep finds the work", error=type(error).__name__)
            self._down = True
        else:
            if self._down:
                log.info("nudges get through again")
            self._down = False
