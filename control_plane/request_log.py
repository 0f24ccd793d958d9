"""One line for each request: what was asked, what was answered, how long it took. Never a body, query or token."""

import time
from typing import Any

import structlog

from shared.kernel.logs import logger
from shared.web.request_ids import request_id_of

log = logger(__name__)


class RequestLog:
    """Wraps the application, so that every request is in the log, those that match no route too."""

    def __init__(self, app: Any) -> None:
        """Around this ASGI application."""
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        identifier = request_id_of(scope["headers"])
        status = 0

        async def note(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", identifier.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=identifier):
            try:
                await self._app(scope, receive, note)
            finally:
                milliseconds = round((time.perf_counter() - began) * 1000, 1)
                log.info("request answered", method=scope["method"], path=scope["path"], status=status, ms=milliseconds)
