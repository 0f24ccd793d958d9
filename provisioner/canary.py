"""Whether this worker still consumes: it sends itself a message through the broker and listens for it.

Consumers are known to stop after a reconnect, without an error. The sweep keeps work going meanwhile, a second slower;
a worker that stays deaf ends, and whoever keeps it running starts it again. A broker that is down is no reason to end.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from shared.kernel.clock import Clock
from shared.kernel.logs import logger

log = logger(__name__)

EVERY: Final = timedelta(seconds=10)
MOST_MISSED: Final = 6
"""A minute of silence while the broker takes messages: longer than a reconnect takes."""


class Verdict(Enum):
    """What silence means."""

    HEARS = auto()
    BROKER_AWAY = auto()
    BUSY = auto()
    """Every thread works, so nothing more is taken from the broker for now."""
    DEAF = auto()
    """The broker takes messages and we get none."""


class Canary:
    """Counts silences. Knows nothing of Celery: it is told what was sent and what was heard."""

    def __init__(self, clock: Clock, *, every: timedelta = EVERY, most_missed: int = MOST_MISSED) -> None:
        """`every` is how often it sings."""
        self._clock = clock
        self._every = every
        self._most_missed = most_missed
        self._heard_at: datetime = clock.now()
        self._missed = 0

    def heard(self) -> None:
        """The message has come back."""
        self._heard_at = self._clock.now()

    def judge(self, *, sent: bool, busy: bool) -> Verdict:
        """Called once an interval, with whether the last message got to the broker and whether all threads work."""
        if self._clock.now() - self._heard_at <= self._every:
            self._missed = 0
            return Verdict.HEARS
        if busy or not sent:
            # Nothing can be said about this interval; what was missed before may have had the same cause.
            self._missed = 0
            return Verdict.BUSY if sent else Verdict.BROKER_AWAY
        self._missed += 1
        return Verdict.DEAF if self._missed >= self._most_missed else Verdict.HEARS


class CanaryThread:
    """Sings until it is stopped, in a thread of its own: neither Celery's nor the engine's trouble may silence it."""

    def __init__(
        self,
        canary: Canary,
        *,
        sing: Callable[[], None],
        is_busy: Callable[[], bool],
        on_deaf: Callable[[], None],
        every: timedelta = EVERY,
    ) -> None:
        """`sing` publishes one message and raises when the broker does not take it; `on_deaf` is called once."""
        self._canary = canary
        self._sing = sing
        self._is_busy = is_busy
        self._on_deaf = on_deaf
        self._seconds = every.total_seconds()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """No more; returns at once."""
        self._stopped.set()

    def _run(self) -> None:
        sent = self._sung()
        while not self._stopped.wait(self._seconds):
            if self._canary.judge(sent=sent, busy=self._is_busy()) is Verdict.DEAF:
                # The alert: the sweep keeps work going, every nudge is lost.
                log.error("the worker does not hear the broker any more and ends")
                self._on_deaf()
                return
            sent = self._sung()

    def _sung(self) -> bool:
        try:
            self._sing()
        except Exception as error:  # noqa: BLE001 - kombu and redis raise many kinds; none says anything about us
            log.info("the canary did not get to the broker", error=type(error).__name__)
            return False
        return True
