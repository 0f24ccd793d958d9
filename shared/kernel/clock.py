"""Time, passed in so that tests can move it. Always UTC and aware."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


class Clock(Protocol):
    """What the time is, and waiting for it to pass."""

    def now(self) -> datetime:
        """The current moment, in UTC."""
        ...

    async def sleep(self, pause: timedelta) -> None:
        """Return after `pause`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)

    async def sleep(self, pause: timedelta) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(pause.total_seconds())


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 in UTC: how contracts and the tenant's database write a moment."""
    return (moment - EPOCH) // MILLISECOND


def from_ms(ms: int) -> datetime:
    """The moment that `to_ms` wrote."""
    return EPOCH + ms * MILLISECOND


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`, to the second: how people and APIs read a moment."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
