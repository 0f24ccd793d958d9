"""Long lists in pages: an opaque cursor says after which item the next page begins."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Generic, TypeVar

from litestar.params import QueryParameter

from shared.kernel.errors import AppError

T = TypeVar("T")

MOST: Final = 100

Cursor = Annotated[str | None, QueryParameter(description="`next_cursor` of the page before.", max_length=200)]
Limit = Annotated[int, QueryParameter(description="How many items a page has at most.", ge=1, le=MOST)]


class CursorUnknown(AppError):
    """The cursor belongs to no page of this list."""

    code = "cursor_unknown"
    status = 400
    public = "The cursor belongs to no page of this list."
    next_action = "Begin again without a cursor."


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and where the next page begins."""

    items: list[T]
    next_cursor: str | None


def page(items: Sequence[T], name: Callable[[T], str], cursor: str | None, limit: int) -> Page[T]:
    """The page after `cursor`.

    Raises:
        CursorUnknown: see there.
    """
    begins = 0
    if cursor is not None:
        last = _opened(cursor)
        begins = next((place + 1 for place, item in enumerate(items) if name(item) == last), 0)
        if begins == 0:
            raise CursorUnknown
    found = list(items[begins : begins + limit])
    more = begins + limit < len(items)
    return Page(found, _sealed(name(found[-1])) if more and found else None)


def _sealed(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).rstrip(b"=").decode()


def _opened(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
    except (ValueError, binascii.Error):
        raise CursorUnknown from None
