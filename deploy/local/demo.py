"""The demonstration tenant: what a customer would do, done through the public API.

Its account is kept in a file (0600), and its key is not: like any customer's, it is shown once.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import httpx

from deploy.local import folders, health
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble

FILE: Final = "demo.json"
PLAN: Final = "starter"
WAIT_SECONDS: Final = 10
ENDED: Final = frozenset({"succeeded", "failed", "canceled"})
GONE: Final = frozenset({"deleting", "deleted"})

Watch = Callable[[dict[str, Any]], None]
"""Gets the operation each time it has moved."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is remembered of the demonstration's account."""

    email: str
    password: str
    idempotency_key: str
    """Of its subscription: a run that was cut off asks for the same one again."""
    token: str = ""
    substrate: str = ""
    operation: str = ""

    @classmethod
    def new(cls) -> Self:
        """An account that nobody has."""
        return cls(
            email=f"demo-{secrets.token_hex(4)}@example.org",
            password=secrets.token_urlsafe(18),
            idempotency_key=secrets.token_hex(16),
        )


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A tenant that is ready to use."""

    email: str
    account_file: Path
    substrate: str
    instance_url: str
    mcp_endpoint: str
    key_id: str
    key: str | None
    """In full the one time that it is claimed."""

    def mcp_block(self) -> str:
        """Ready to paste into an MCP client, with the key filled in only where it is shown anyway."""
        bearer = self.key or "${LOAM_API_KEY}"
        server = {
            "type": "streamable-http",
            "url": self.mcp_endpoint,
            "headers": {"Authorization": f"Bearer {bearer}"},
        }
        return json.dumps({"mcpServers": {"loam": server}}, indent=2)


def show(settings: LocalSettings, watch: Watch, *, new_key: bool = False) -> Demonstration:
    """The demonstration tenant, made unless there is one; `new_key` replaces a key that was shown already.

    Raises:
        Trouble: the API refuses, or the tenant does not come up.
    """
    with health.api(settings, timeout=WAIT_SECONDS + 20) as http:
        demo = _Demo(settings, http)
        account = demo.subscribed(demo.signed_in())
        if demo.is_gone(account):
            account = demo.subscribed(demo.signed_in(anew=True))
        demo.wait(account, watch)
        return demo.described(account, new_key=new_key)


class _Demo:
    def __init__(self, settings: LocalSettings, http: httpx.Client) -> None:
        self._file = settings.root / FILE
        self._http = http

    def signed_in(self, *, anew: bool = False) -> Account:
        """The account, with a token that works."""
        known = None if anew else self._read()
        account = known or Account.new()
        who = {"email": account.email, "password": account.password}
        if known is None or not known.token:
            self._keep(account)
            answer = self._http.post("/v1/signup", json=who)
            if answer.status_code == httpx.codes.CONFLICT:  # an earlier run was cut off right after
                answer = self._http.post("/v1/login", json=who)
        elif self._works(known.token):
            return known
        else:
            answer = self._http.post("/v1/login", json=who)
            if answer.status_code == httpx.codes.UNAUTHORIZED:  # the registry was emptied, this file was not
                return self.signed_in(anew=True)
        return self._keep(replace(account, token=_checked(answer)["token"]))

    def subscribed(self, account: Account) -> Account:
        """The account with its subscription and its memory server, which may still be on its way."""
        if account.substrate:
            return account
        answer = self._http.post(
            "/v1/subscriptions",
            json={"plan": PLAN, "trial": True},
            headers={**_bearer(account), "Idempotency-Key": account.idempotency_key},
        )
        found = _checked(answer)
        return self._keep(replace(account, substrate=found["substrate"]["id"], operation=found["operation"]["id"]))

    def is_gone(self, account: Account) -> bool:
        """Whether somebody has deleted the memory server since."""
        answer = self._get(account, f"/v1/substrates/{account.substrate}")
        return answer.status_code == httpx.codes.NOT_FOUND or _checked(answer)["status"] in GONE

    def wait(self, account: Account, watch: Watch) -> None:
        """Follow the operation to its end."""
        tag = ""
        while True:
            address = f"/v1/operations/{account.operation}?wait={WAIT_SECONDS if tag else 0}"
            answer = self._get(account, address, {"If-None-Match": tag} if tag else {})
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                continue
            operation = _checked(answer)
            tag = answer.headers.get("ETag", "")
            watch(operation)
            if operation["status"] == "succeeded":
                return
            if operation["status"] in ENDED:
                raise Trouble(
                    "The demonstration's memory server did not come up.",
                    fix="See logs/worker.log in the state folder; `loam operations retry` tries again.",
                    detail=json.dumps(operation.get("error"), indent=2),
                )

    def described(self, account: Account, *, new_key: bool) -> Demonstration:
        """Where it is, with its key if nobody has claimed it yet."""
        found = _checked(self._get(account, f"/v1/substrates/{account.substrate}"))
        keys = _checked(self._get(account, f"/v1/substrates/{account.substrate}/keys"))["keys"]
        first = next((key for key in keys if key["name"] == "default"), None)
        secret = self._claimed(account, first["id"]) if first else None
        if secret is None and new_key:
            secret = self._replaced(account, keys)
        return Demonstration(
            email=account.email,
            account_file=self._file,
            substrate=account.substrate,
            instance_url=found["instance_url"],
            mcp_endpoint=found["mcp_endpoint"],
            key_id=first["id"] if first else "",
            key=secret,
        )

    def _claimed(self, account: Account, key: str) -> str | None:
        address = f"/v1/substrates/{account.substrate}/keys/{key}/claim"
        answer = self._http.post(address, headers=_bearer(account))
        if answer.status_code in {httpx.codes.CONFLICT, httpx.codes.GONE}:
            return None
        return str(_checked(answer)["secret"])

    def _replaced(self, account: Account, keys: list[dict[str, Any]]) -> str:
        """Another secret of a key that is not revoked, or of a new one."""
        path = f"/v1/substrates/{account.substrate}/keys"
        usable = [key for key in keys if key.get("state") != "revoked"]
        if usable:
            answer = self._http.post(f"{path}/{usable[0]['id']}/rotate", json={}, headers=_bearer(account))
        else:
            body = {"name": f"default-{secrets.token_hex(2)}"}
            answer = self._http.post(path, json=body, headers=_bearer(account))
        return str(_checked(answer)["secret"])

    def _works(self, token: str) -> bool:
        headers = {"Authorization": f"Bearer {token}"}
        return self._http.get("/v1/subscriptions", headers=headers).status_code != httpx.codes.UNAUTHORIZED

    def _get(self, account: Account, address: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._http.get(address, headers={**_bearer(account), **(headers or {})})

    def _read(self) -> Account | None:
        try:
            return Account(**json.loads(self._file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _keep(self, account: Account) -> Account:
        folders.write(self._file, json.dumps(asdict(account), indent=2) + "\n", mode=0o600)
        return account


def _bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.token}"}


def _checked(answer: httpx.Response) -> dict[str, Any]:
    """The answer's body.

    Raises:
        Trouble: it is a refusal.
    """
    if answer.is_success:
        found: dict[str, Any] = answer.json()
        return found
    raise Trouble(
        f"The API answered {answer.status_code} to {answer.request.method} {answer.request.url.path}.",
        fix="See logs/control-plane.log in the state folder.",
        detail=answer.text[:1000],
    )
