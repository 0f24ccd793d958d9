"""Asking a server that may have been taken over: bounded in size and time, never following anything.

No redirects, no decompression, no proxy from the environment, no connection kept for another's use.
"""

import ssl
from typing import Final, TypeVar

import httpx
import msgspec

T = TypeVar("T")

NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For unix sockets, where no TLS is spoken: making a real context would read every root certificate each time."""

PRINTABLE_LIMIT: Final = 80


class HostileAnswer(Exception):
    """The answer is too large, malformed, or not what was asked for. The text is ours, never the server's."""


async def ask(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    most: int,
    headers: dict[str, str] | None = None,
    content: bytes | None = None,
    extensions: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and body, as they came over the wire.

    Raises:
        httpx.HTTPError: it could not be asked, or did not speak HTTP.
        HostileAnswer: the body is larger than `most`.
    """
    given = {"Accept-Encoding": "identity", **(headers or {})}
    async with client.stream(
        method, url, headers=given, content=content, extensions=extensions, follow_redirects=False
    ) as response:
        body = bytearray()
        async for part in response.aiter_raw():
            body += part
            if len(body) > most:
                raise HostileAnswer("the answer is too large")
        return response.status_code, bytes(body)


def read(body: bytes, form: type[T]) -> T:
    """The body as what was asked for.

    Raises:
        HostileAnswer: it has another form.
    """
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise HostileAnswer("the answer does not have the form that was agreed") from None


def printable(text: str | None) -> str | None:
    """A name that a client gave of itself: short, on one line, without control or direction characters."""
    if text is None:
        return None
    kept = "".join(letter for letter in text[: 4 * PRINTABLE_LIMIT] if letter.isprintable())
    return kept[:PRINTABLE_LIMIT].strip() or None
