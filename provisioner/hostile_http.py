"""Asking a server that may have been taken over: bounded in size, time and work, never following anything.

One request, one answer, of the one form that our own servers give: a final status line, headers, a body whose length is
told beforehand. Interim answers, chunks and everything else that would have us work for the other side are refused.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final, TypeVar

import msgspec

T = TypeVar("T")

HEAD_BYTES: Final = 16 * 1024
"""The status line and all headers."""

PART_BYTES: Final = 64 * 1024

SLACK_READS: Final = 32
READ_BYTES: Final = 4 * 1024
"""An answer may come in `SLACK_READS` parts, and one more for each allowed `READ_BYTES`: dripping is work too."""

STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: [^\r\n]*)?")
LENGTH: Final = re.compile(rb"[0-9]{1,12}")

PRINTABLE_LIMIT: Final = 80


class HostileAnswer(Exception):
    """The answer is too large, malformed, or not what was asked for. The text is ours, never the server's."""


class Answer:
    """An answer whose body is still to come."""

    def __init__(self, status: int, length: int, begun: bytes, wire: "_Wire") -> None:
        self.status = status
        self.length = length
        """Of the body, as the server told it; no more is taken."""
        self._begun = begun
        self._wire = wire

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes, to its told end.

        Raises:
            OSError: the connection broke.
            HostileAnswer: it ends too early, or comes in too many parts.
        """
        left = self.length
        piece = self._begun[:left]
        while left:
            if piece:
                left -= len(piece)
                yield piece
            if left:
                piece = (await self._wire.part())[:left]


async def begin(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    *,
    most: int,
    headers: Mapping[str, str],
    content: bytes = b"",
) -> Answer:
    """Send a request and read the answer's head; the connection is of no use after the answer.

    Raises:
        OSError: the connection broke.
        HostileAnswer: it is not an answer of the form above, or larger than `most`.
    """
    writer.write(_request(method, path, headers, content))
    await writer.drain()
    wire = _Wire(reader, most)
    head, rest = await wire.head()
    status, length = _understood(head)
    if length > most:
        raise HostileAnswer("the answer is too large")
    return Answer(status, length, rest, wire)


async def ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    *,
    most: int,
    headers: Mapping[str, str],
    content: bytes = b"",
) -> tuple[int, bytes]:
    """Status and whole body; as `begin`, for answers that fit into memory."""
    answer = await begin(reader, writer, method, path, most=most, headers=headers, content=content)
    return answer.status, b"".join([piece async for piece in answer.pieces()])


class _Wire:
    """What comes from the other side, counted."""

    def __init__(self, reader: asyncio.StreamReader, most: int) -> None:
        self._reader = reader
        self._reads = SLACK_READS + (HEAD_BYTES + most) // READ_BYTES

    async def head(self) -> tuple[bytes, bytes]:
        """Everything before the empty line, and what came after it."""
        got = b""
        while b"\r\n\r\n" not in got[: HEAD_BYTES + 4]:
            if len(got) > HEAD_BYTES:
                raise HostileAnswer("the answer's head is too large")
            got += await self.part()
        head, _, rest = got.partition(b"\r\n\r\n")
        return head, rest

    async def part(self) -> bytes:
        """What comes next, never nothing."""
        if self._reads <= 0:
            raise HostileAnswer("the answer comes in too many parts")
        self._reads -= 1
        part = await self._reader.read(PART_BYTES)
        if not part:
            raise HostileAnswer("the answer ends too early")
        return part


def _request(method: str, path: str, headers: Mapping[str, str], content: bytes) -> bytes:
    given = {"Accept-Encoding": "identity", "Connection": "close", "Content-Length": str(len(content)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + content


def _understood(head: bytes) -> tuple[int, int]:
    """Status and length of the body."""
    first, *lines = head.split(b"\r\n")
    status = STATUS_LINE.fullmatch(first)
    if status is None:
        raise HostileAnswer("the answer does not begin as a final answer does")
    pairs = [line.partition(b":") for line in lines]
    named = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
    lengths = [value for name, value in named if name == b"content-length"]
    if len(lengths) != 1 or not LENGTH.fullmatch(lengths[0]) or any(name == b"transfer-encoding" for name, _ in named):
        raise HostileAnswer("the answer does not tell its length")
    return int(status[1]), int(lengths[0])


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
