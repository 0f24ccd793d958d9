"""When each key was last used, and by what: kept in memory, asked for by the provisioner.

Losing it costs nothing but the newest minutes of "last used"; a write to disk on every request would cost a lot.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from shared.contracts.tenant_server import KeyUse

MAX_CLIENT: Final = 100
MAX_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Use:
    at_ms: int
    client: str | None = None


class KeyUses:
    """The last use of every key since the server started."""

    def __init__(self) -> None:
        """Nothing was used yet."""
        self._uses: dict[str, _Use] = {}
        self.last_request_ms: int | None = None
        self.last_client: str | None = None

    def note(self, key_id: str, now_ms: int) -> None:
        """A key was used now."""
        self.last_request_ms = now_ms
        before = self._uses.get(key_id)
        if before is not None:
            self._uses[key_id] = replace(before, at_ms=now_ms)
        elif len(self._uses) < MAX_KEYS:
            self._uses[key_id] = _Use(at_ms=now_ms)

    def note_client(self, key_id: str, info: Any) -> None:
        """An MCP client said what it is: `{name, version}`, from outside and so bounded and made printable."""
        if not isinstance(info, dict):
            return
        said = " ".join(str(info.get(member) or "") for member in ("name", "version"))
        client = "".join(letter if letter.isprintable() else " " for letter in said[:MAX_CLIENT]).strip()
        before = self._uses.get(key_id)
        if client and before is not None:
            self._uses[key_id] = replace(before, client=client)
            self.last_client = client

    def show(self) -> tuple[KeyUse, ...]:
        """All of them."""
        return tuple(KeyUse(key_id=key_id, at_ms=use.at_ms, client=use.client) for key_id, use in self._uses.items())
