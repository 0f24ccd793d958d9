"""Which backups are kept: the last day's, the newest of each of the last days, and of each of the last weeks. Pure.

The last day ends with the newest backup, and all of it is kept up to a number: whoever asks for one before a change
must not lose it to the next scheduled one. Days and weeks without a backup do not count, so a substrate that could not
be backed up for a while loses nothing.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

RECENT: Final = timedelta(days=1)
MOST_RECENT: Final = 10
DAYS: Final = 7
WEEKS: Final = 4

T = TypeVar("T")


def kept(backups: Iterable[T], moment_of: Callable[[T], datetime], *, days: int = DAYS, weeks: int = WEEKS) -> list[T]:
    """Those to keep, the newest first. The newest of all is always among them."""
    newest_first = sorted(backups, key=moment_of, reverse=True)
    chosen = [one for one in newest_first if moment_of(newest_first[0]) - moment_of(one) < RECENT][:MOST_RECENT]
    for span, most in ((_day, max(days, 1)), (_week, weeks)):
        newest_of: dict[tuple[int, int], T] = {}
        for backup in newest_first:
            newest_of.setdefault(span(moment_of(backup)), backup)
        chosen += list(newest_of.values())[:most]
    identities = {id(backup) for backup in chosen}
    return [backup for backup in newest_first if id(backup) in identities]


def _day(moment: datetime) -> tuple[int, int]:
    moment = moment.astimezone(UTC)
    return moment.year, moment.timetuple().tm_yday


def _week(moment: datetime) -> tuple[int, int]:
    calendar = moment.astimezone(UTC).isocalendar()
    return calendar.year, calendar.week
