"""Reading a list to its end, page by page."""

from typing import Any

from control_plane.cli.connection import Connection


def everything(connection: Connection, path: str, member: str) -> list[dict[str, Any]]:
    """All items of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = connection.call("GET", f"{path}?limit=100{cursor}").json()
        found += page[member]
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"
