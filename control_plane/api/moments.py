"""Moments as the API writes them."""

from datetime import datetime

from shared.kernel.clock import iso


def shown(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC, or nothing."""
    return iso(moment) if moment is not None else None
