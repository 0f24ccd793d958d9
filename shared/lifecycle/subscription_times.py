"""What the clock does to a subscription, and when. Pure: moments in, moments out.

A phase lasts from when it really began. So an outage of ours, however long, never shortens the time in which a
customer is warned or can still export.
"""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.lifecycle.subscription import State

WARNED: Final = timedelta(days=7)
"""Past due, it runs on with a warning."""

READ_ONLY: Final = timedelta(days=30)
"""Unpaid or canceled, it can be read and exported."""

MONTHS: Final = 12

UNDO: Final = timedelta(hours=72)
"""A deletion by hand can be undone."""


class Due(StrEnum):
    """What the clock does."""

    TRIAL_OVER = "trial_over"
    RENEWED = "renewed"
    READ_ONLY = "read_only"
    CANCELED = "canceled"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class Coming:
    """One thing that is to come."""

    what: Due
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a subscription stands, as far as the clock is concerned."""

    state: State
    since: datetime
    """When it got into this state."""
    period_ends_at: datetime
    restricted_since: datetime | None
    """Since when its substrate is read_only for what this state says: payment or canceled."""


def to_come(standing: Standing) -> tuple[Coming, ...]:
    """Everything that happens if nobody does anything, the next first."""
    match standing.state:
        case State.TRIALING:
            return (Coming(Due.TRIAL_OVER, standing.period_ends_at),)
        case State.ACTIVE:
            return (Coming(Due.RENEWED, standing.period_ends_at),)
        case State.PAST_DUE:
            return _restricted(standing, standing.since + WARNED, Due.CANCELED)
        case State.CANCELED:
            return _restricted(standing, max(standing.since, standing.period_ends_at), Due.DESTROYED)
        case State.ENDED:
            return ()


def _restricted(standing: Standing, begins: datetime, ends_as: Due) -> tuple[Coming, ...]:
    if standing.restricted_since is not None:
        return (Coming(ends_as, standing.restricted_since + READ_ONLY),)
    return (Coming(Due.READ_ONLY, begins), Coming(ends_as, begins + READ_ONLY))


def a_month_after(moment: datetime) -> datetime:
    """The same day of the next calendar month, or its last day when it is shorter."""
    year, month = (moment.year + 1, 1) if moment.month == MONTHS else (moment.year, moment.month + 1)
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
