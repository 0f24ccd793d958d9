"""The demonstration tenant: made once, its key shown once, whatever happened before."""

import json
import stat
from dataclasses import dataclass, field

import httpx
import pytest

from deploy.local import demo, health
from deploy.local.trouble import Trouble

SECRET = "mmk_the-secret"
ANOTHER = "mmk_another-secret"


@dataclass
class Api:
    """The control plane as its published shapes have it; it keeps state and can break at any call."""

    accounts: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    substrates: dict[str, str] = field(default_factory=dict)
    """Idempotency key to status."""
    claimed: bool = False
    outcome: str = "succeeded"
    calls: int = 0
    breaks_at: int | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        answered = self._answer(request)
        if self.calls - 1 == self.breaks_at:
            raise httpx.ReadError("the line was cut after it was done")
        return answered

    def _answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        match request.method, request.url.path.removeprefix("/v1"):
            case "POST", "/signup":
                if body["email"] in self.accounts:
                    return httpx.Response(409, json={"code": "mail_taken"})
                self.accounts[body["email"]] = body["password"]
                return httpx.Response(201, json={"account": {}, "token": self._token(body["email"])})
            case "POST", "/login":
                known = self.accounts.get(body["email"]) == body["password"]
                return httpx.Response(200, json={"token": self._token(body["email"])}) if known else httpx.Response(401)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401, json={"code": "token_refused"})
        return self._answer_signed_in(request)

    def _answer_signed_in(self, request: httpx.Request) -> httpx.Response:  # noqa: PLR0911 - one address, one return
        parts = request.url.path.strip("/").split("/")[1:]
        match [request.method, *parts]:
            case ["GET", "subscriptions"]:
                return httpx.Response(200, json={"subscriptions": []})
            case ["POST", "subscriptions"]:
                substrate = f"sub_{request.headers['Idempotency-Key']}"
                self.substrates.setdefault(substrate, "running")
                return httpx.Response(202, json={"substrate": {"id": substrate}, "operation": {"id": "op_a"}})
            case ["GET", "operations", _]:
                return httpx.Response(200, json={"status": self.outcome, "steps": [], "error": {"code": "gave_up"}})
            case ["GET", "substrates", substrate]:
                if substrate not in self.substrates:
                    return httpx.Response(404, json={"code": "not_found"})
                url = f"https://{substrate}.example"
                status = self.substrates[substrate]
                return httpx.Response(200, json={"status": status, "instance_url": url, "mcp_endpoint": f"{url}/mcp"})
            case ["GET", "substrates", _, "keys"]:
                return httpx.Response(200, json={"keys": [{"id": "key_a", "name": "default"}]})
            case ["POST", "substrates", _, "keys", "key_a", "rotate"]:
                return httpx.Response(200, json={"key": {}, "secret": ANOTHER})
            case ["POST", "substrates", _, "keys", "key_a", "claim"]:
                if self.claimed:
                    return httpx.Response(409, json={"code": "already_claimed"})
                self.claimed = True
                return httpx.Response(200, json={"key": {}, "secret": SECRET})
        raise AssertionError(f"unexpected: {request.method} {request.url}")

    def _token(self, email: str) -> str:
        token = f"lat_{len(self.tokens)}"
        self.tokens[token] = email
        return token


@pytest.fixture
def api(monkeypatch):
    found = Api()

    def client(*_: object, **__: object) -> httpx.Client:
        return httpx.Client(base_url="https://app.example", transport=httpx.MockTransport(found.answer))

    monkeypatch.setattr(health, "api", client)
    return found


def show(settings):
    return demo.show(settings, lambda _: None)


def test_the_first_run_ends_with_the_key_and_a_block_that_holds_it(settings, api):
    shown = show(settings)

    assert shown.key == SECRET
    server = json.loads(shown.mcp_block())["mcpServers"]["loam"]
    assert server["url"] == shown.mcp_endpoint
    assert server["headers"]["Authorization"] == f"Bearer {SECRET}"


def test_a_second_run_shows_the_same_tenant_without_its_key(settings, api):
    first = show(settings)

    second = show(settings)

    assert second.key is None
    assert second.substrate == first.substrate
    assert SECRET not in second.mcp_block()
    assert len(api.accounts) == len(api.substrates) == 1


def test_a_lost_key_is_replaced_on_request_and_shown_once(settings, api):
    show(settings)

    assert demo.show(settings, lambda _: None, new_key=True).key == ANOTHER
    assert show(settings).key is None


def test_the_account_is_kept_for_its_owner_alone_and_the_key_is_not_kept(settings, api):
    kept = show(settings).account_file

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert SECRET not in kept.read_text()


@pytest.mark.parametrize("call", range(5))
def test_a_run_that_was_cut_off_anywhere_is_finished_by_the_next_one(settings, api, call):
    api.breaks_at = call
    with pytest.raises(httpx.ReadError):
        show(settings)

    show(settings)

    assert len(api.accounts) == len(api.substrates) == 1


def test_a_token_that_has_expired_is_replaced(settings, api):
    show(settings)
    api.tokens.clear()

    assert show(settings).substrate in api.substrates


@pytest.mark.parametrize("how", ["deleted", "emptied"])
def test_a_tenant_that_is_gone_is_made_anew(settings, api, how):
    first = show(settings)
    if how == "deleted":
        api.substrates[first.substrate] = "deleted"
    else:
        api.accounts.clear()
        api.tokens.clear()
        api.substrates.clear()
    api.claimed = False

    second = show(settings)

    assert second.substrate != first.substrate
    assert second.key == SECRET


def test_a_tenant_that_does_not_come_up_is_told_with_the_reason(settings, api):
    api.outcome = "failed"

    with pytest.raises(Trouble, match="gave_up"):
        show(settings)
