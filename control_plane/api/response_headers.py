"""Headers that every answer carries."""

from typing import Final

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

from control_plane.api.docs import PAGE_POLICY

ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


class ResponseHeaders:
    """Adds them as the answer leaves, whoever made it."""

    def __init__(self, *, strict_transport: bool) -> None:
        """`strict_transport`: browsers shall insist on HTTPS for this host from now on."""
        self._strict_transport = strict_transport

    async def __call__(self, message: Message, scope: Scope) -> None:  # noqa: ARG002 - how the hook is called
        """Litestar's hook `before_send`."""
        if message["type"] != "http.response.start":
            return
        headers = MutableScopeHeaders.from_message(message)
        for name, value in ALWAYS.items():
            headers.setdefault(name, value)
        page = headers.get("content-type", "").startswith("text/html")
        headers.setdefault("Content-Security-Policy", PAGE_POLICY if page else API_POLICY)
        headers.setdefault("Cache-Control", "no-store")
        if self._strict_transport:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
