"""Answering a refused request without a framework: the same problem+json as everywhere."""

from typing import Any

import msgspec

from shared.kernel.errors import AppError
from shared.kernel.logs import logger
from shared.web.problems import MEDIA_TYPE, of

log = logger(__name__)


async def refuse(send: Any, error: AppError) -> None:
    """Send the problem, and log it once."""
    log.info("request refused", code=error.code, facts={name: str(value) for name, value in error.facts.items()})
    body = msgspec.json.encode(of(error))
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **{name.lower(): value for name, value in error.headers.items()},
    }
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
