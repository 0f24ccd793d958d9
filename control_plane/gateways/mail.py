"""Mail that leaves the house. Where no server is set up it goes into an outbox folder, for the operator to read."""

import asyncio
import os
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from shared.kernel.ids import Ids
from shared.kernel.product import DISPLAY_NAME


class Mail(Protocol):
    """Where letters go."""

    async def send(self, to: str, subject: str, text: str, *, now: datetime) -> None:
        """Send one letter of plain text."""
        ...


class OutboxFolder:
    """Each letter a file of its own, `<time>-<id>.eml`, readable by the owner only."""

    def __init__(self, folder: Path, *, sender: str, ids: Ids) -> None:
        """An outbox in this folder, which is made when the first letter is written."""
        self._folder = folder
        self._sender = sender
        self._ids = ids

    async def send(self, to: str, subject: str, text: str, *, now: datetime) -> None:
        """See `Mail.send`."""
        letter = written(to, subject, text, sender=self._sender, now=now)
        await asyncio.to_thread(self._write, f"{now:%Y%m%dT%H%M%SZ}-{self._ids.new('mail')}.eml", letter)

    def _write(self, name: str, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)


def written(to: str, subject: str, text: str, *, sender: str, now: datetime) -> bytes:
    """A letter as it is sent: RFC 5322, with RFC 6532 for addresses beyond ASCII."""
    # The address is put together from its parts, and written as it is, so that nothing in it is read as a header.
    local, _, domain = to.rpartition("@")
    letter = EmailMessage(policy=policy.default.clone(utf8=True))
    letter["From"] = f"{DISPLAY_NAME} <{sender}>"
    letter["To"] = Address(username=local, domain=domain)
    letter["Subject"] = subject
    letter["Date"] = now
    # Quoted-printable would break the long lines that people copy out of the file; SMTP takes up to 998 characters.
    letter.set_content(text, cte="7bit" if text.isascii() else "8bit")
    return bytes(letter)
