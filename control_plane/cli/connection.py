"""The customer's side of the API: where it is, whom it trusts, and the token that is kept for the next command."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.local import folders, health
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble

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
    """The API does not answer, or is not trusted: a sentence, and what to do about it."""

    def __init__(self, code: str, detail: str, next_action: str) -> None:
        """With the problem in the API's own form."""
        super().__init__(detail)
        self.problem = {"code": code, "detail": detail, "next_action": next_action}


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
            raise self._unreachable(error) from None
        if answer.is_error:
            raise Refused(_problem(answer, self._where_to_look))
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
        """Keep a token for the next command, readable by this user only.

        Raises:
            Trouble: it cannot be written.
        """
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            folders.write(self._file, json.dumps({"token": token}))
        except OSError as error:
            raise Trouble(
                f"You are logged in, but the token cannot be kept in {self._file}: {error.strerror}.",
                fix="Choose another folder with LOAM_STATE_DIR, then log in again.",
            ) from None
        return self._file

    def forget(self) -> None:
        """Keep no token any more."""
        self._file.unlink(missing_ok=True)

    def _unreachable(self, error: Exception) -> Unreachable:
        where = self.settings.api_url or self.settings.dashboard_url
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            fix = (
                "If a private authority signed it, get its file from the operator and set SSL_CERT_FILE to it."
                if self.settings.api_url
                else "Run `loam up`, which publishes this machine's authority, or look with `loam doctor`."
            )
            return Unreachable("certificate_untrusted", f"The certificate of {where} is not trusted here.", fix)
        if "WRONG_VERSION_NUMBER" in str(error):
            sentence = f"What answers at {where} does not speak HTTPS."
            return Unreachable("https_not_spoken", sentence, f"Check the port. {self._where_to_look}")
        sentence = f"The API does not answer at {where} ({type(error).__name__})."
        return Unreachable("api_unreachable", sentence, self._where_to_look)

    @property
    def _where_to_look(self) -> str:
        if self.settings.api_url:
            return "Check LOAM_API_URL and the network, or try again in a moment."
        return "Start it with `loam up`, or look with `loam doctor`."

    @property
    def _file(self) -> Path:
        return self.settings.root / KEPT

    def _client(self) -> httpx.Client:
        if not self.settings.api_url:
            return health.api(self.settings, timeout=TIMEOUT_SECONDS)
        return httpx.Client(base_url=self.settings.api_url, verify=health.trust(self.settings), timeout=TIMEOUT_SECONDS)


def _problem(answer: httpx.Response, where_to_look: str) -> dict[str, Any]:
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
        "next_action": f"Try again. {where_to_look}",
    }
