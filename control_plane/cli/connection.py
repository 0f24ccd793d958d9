"""The customer's side of the API: where it is, whom it trusts, and the token that is kept for the next command."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local import health
from deploy.local.settings import LocalSettings

KEPT: Final = "cli.json"
TIMEOUT_SECONDS: Final = 40.0
"""Longer than the API holds a request open."""


class Refused(Exception):
    """The API has refused; here is its problem, RFC 9457."""

    def __init__(self, problem: dict[str, Any]) -> None:
        """With the problem as the API sent it."""
        super().__init__(problem.get("code", "refused"))
        self.problem = problem


class Unreachable(Exception):
    """The API does not answer, or what answers is something else."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How commands speak to the API."""

    settings: LocalSettings

    def call(
        self, method: str, path: str, *, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One call, with the token there is.

        Raises:
            Refused: see there.
            Unreachable: see there.
        """
        token = self.token()
        sent = {**({"Authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        content = json.dumps(body).encode() if body is not None else None
        if content is not None:
            sent["Content-Type"] = "application/json"
        try:
            with self._client() as client:
                answer = client.request(method, path, content=content, headers=sent)
        except (httpx.HTTPError, OSError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        if answer.is_error:
            raise Refused(_problem(answer))
        return answer

    def token(self) -> str | None:
        """`LOAM_TOKEN`, or what the last log-in kept."""
        if self.settings.token is not None:
            return self.settings.token.get_secret_value()
        try:
            kept = json.loads(self._file.read_text())
        except (FileNotFoundError, PermissionError, ValueError):
            return None
        found = kept.get("token") if isinstance(kept, dict) else None
        return found if isinstance(found, str) else None

    def keep(self, token: str) -> Path:
        """Keep a token for the next command, readable by this user only."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump({"token": token}, file)
        fresh.replace(self._file)
        return self._file

    def forget(self) -> None:
        """Keep no token any more."""
        self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self.settings.root / KEPT

    def _client(self) -> httpx.Client:
        if not self.settings.api_url:
            return health.api(self.settings, timeout=TIMEOUT_SECONDS)
        return httpx.Client(base_url=self.settings.api_url, verify=health.trust(self.settings), timeout=TIMEOUT_SECONDS)


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict) and "code" in found:
        return found
    return {
        "code": "unexpected_answer",
        "status": answer.status_code,
        "detail": f"The server answered {answer.status_code} without saying why.",
        "next_action": "Try again; `loam doctor` looks for what is wrong on this machine.",
    }
