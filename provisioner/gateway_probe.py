"""Asking a tenant's server who we are, the way its customers will: through the gateway, over TLS, with a token.

That one answer is what readiness means: the certificate holds, the gateway finds the socket, the server runs, and it
enforces the policy that the token was derived from.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

from provisioner.hostile_http import HostileAnswer, ask
from shared.kernel.ids import Slug
from shared.registry.publishing import Addresses

LIMIT: Final = timedelta(seconds=5)
ANSWER_BYTES: Final = 64 * 1024


class Readiness(Enum):
    """What the probe found."""

    READY = "ready"
    REFUSED = "refused"
    """A server answers, and does not know this token (any more)."""
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Probed:
    """What the probe found, and why, in words of ours."""

    readiness: Readiness
    reason: str = ""


class GatewayProbe(Protocol):
    """Whether a tenant's server answers at its address."""

    async def whoami(self, slug: Slug, token: str) -> Probed:
        """Ask `GET /v1/whoami`."""
        ...


class HttpsProbe:
    """The real one."""

    def __init__(self, addresses: Addresses, *, gateway: str, ca_file: Path | None) -> None:
        """`gateway` is dialled whatever names resolve to; `ca_file` is its private authority, if it has one."""
        self._addresses = addresses
        self._gateway = gateway
        self._ca_file = ca_file
        self._trusted: tuple[int, ssl.SSLContext] | None = None

    async def whoami(self, slug: Slug, token: str) -> Probed:
        """See `GatewayProbe.whoami`."""
        try:
            context = self._context()
        except (OSError, ssl.SSLError):
            return Probed(Readiness.NOT_YET, "the gateway's certificate authority is not there yet")
        try:
            async with asyncio.timeout(LIMIT.total_seconds()):
                status = await self._ask(slug, token, context)
        except TimeoutError:
            return Probed(Readiness.NOT_YET, "its address does not answer in time")
        except (HostileAnswer, OSError) as error:
            return Probed(Readiness.NOT_YET, f"its address does not answer: {type(error).__name__}")
        match status:
            case HTTPStatus.OK:
                return Probed(Readiness.READY)
            case HTTPStatus.UNAUTHORIZED:
                return Probed(Readiness.REFUSED, "the server does not know the newest keys yet")
            case _:
                return Probed(Readiness.NOT_YET, f"its address answers {status}")

    async def _ask(self, slug: Slug, token: str, context: ssl.SSLContext) -> int:
        # The name that the certificate is checked against, whatever address is dialled.
        host, port = self._addresses.host(slug), self._addresses.https_port
        reader, writer = await asyncio.open_connection(self._gateway, port, ssl=context, server_hostname=host)
        try:
            named = self._addresses.instance_url(slug).removeprefix("https://")
            headers = {"Host": named, "Authorization": f"Bearer {token}"}
            status, _ = await ask(reader, writer, "GET", "/v1/whoami", most=ANSWER_BYTES, headers=headers)
        finally:
            writer.transport.abort()
        return status

    def _context(self) -> ssl.SSLContext:
        """The trusted authorities; read again when the gateway has made itself new ones."""
        changed = self._ca_file.stat().st_mtime_ns if self._ca_file else 0
        if self._trusted is None or self._trusted[0] != changed:
            self._trusted = (changed, ssl.create_default_context(cafile=self._ca_file))
        return self._trusted[1]
