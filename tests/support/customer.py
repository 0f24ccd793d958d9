"""A customer, as the outside sees one: an HTTPS client with the private CA, and the API's published shapes.

Nothing here imports the product: what is relied on is what scripts outside the project rely on.
"""

import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

OPERATION_PATIENCE_SECONDS = 60


@dataclass(slots=True)
class Instance:
    """A substrate that was provisioned, and its claimed key."""

    id: str
    slug: str
    url: str
    mcp: str
    key_id: str
    key: str
    ca_file: Path
    http: httpx.Client = field(repr=False)

    @property
    def authorization(self) -> dict[str, str]:
        """The header that opens it."""
        return {"Authorization": f"Bearer {self.key}"}

    def save(self, *contents: str, key: str | None = None) -> httpx.Response:
        """Save atoms over REST."""
        atoms = [{"content": content} for content in contents]
        return self.call("POST", "/v1/atoms", json={"atoms": atoms}, key=key)

    def search(self, query: str, *, key: str | None = None) -> httpx.Response:
        """Search over REST."""
        return self.call("POST", "/v1/search", json={"query": query, "limit": 5}, key=key)

    def whoami(self, *, key: str | None = None) -> httpx.Response:
        """The smallest authenticated call."""
        return self.call("GET", "/v1/whoami", key=key)

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        """Any call with a key (its own, unless another is given)."""
        return self.http.request(
            method, f"{self.url}{path}", headers={"Authorization": f"Bearer {key or self.key}"}, **more
        )


class Customer:
    """Somebody who signed up."""

    def __init__(self, api_url: str, ca_file: Path) -> None:
        self.api_url = api_url
        self.ca_file = ca_file
        self.http = httpx.Client(verify=ssl.create_default_context(cafile=str(ca_file)), timeout=40)
        self.email = f"{secrets.token_hex(6)}@example.org"
        self.password = secrets.token_urlsafe(16)
        self.token = ""

    def __enter__(self) -> Self:
        """Sign up."""
        answer = self.http.post(f"{self.api_url}/v1/signup", json={"email": self.email, "password": self.password})
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["token"]
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self.http.close()

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call to the API with the account's token."""
        headers = {"Authorization": f"Bearer {self.token}", **more.pop("headers", {})}
        return self.http.request(method, f"{self.api_url}/v1{path}", headers=headers, **more)

    def subscribe(self, plan: str = "starter", *, trial: bool = False) -> dict[str, Any]:
        """Subscribe, and return what was answered."""
        answer = self.call(
            "POST",
            "/subscriptions",
            json={"plan": plan, "trial": trial},
            headers={"Idempotency-Key": secrets.token_hex(8)},
        )
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def erase(self, substrate: str) -> httpx.Response:
        """Delete at once, with the slug typed."""
        slug = self.call("GET", f"/substrates/{substrate}").json()["slug"]
        return self.call("DELETE", f"/substrates/{substrate}", params={"now": "true", "confirm": slug})

    def ended(self, operation: str) -> dict[str, Any]:
        """The operation, once it has ended."""
        for _ in range(OPERATION_PATIENCE_SECONDS // 10):
            found: dict[str, Any] = self.call("GET", f"/operations/{operation}?wait=10").json()
            if found["status"] not in {"queued", "running"}:
                return found
        raise AssertionError(f"the operation has not ended: {found}")

    def instance(self, plan: str = "starter", *, trial: bool = False) -> Instance:
        """Subscribe, wait until it is provisioned, and claim the first key."""
        asked = self.subscribe(plan, trial=trial)
        operation = self.ended(asked["operation"]["id"])
        assert operation["status"] == "succeeded", operation
        return self.claimed(asked["substrate"]["id"])

    def claimed(self, substrate: str) -> Instance:
        """A provisioned substrate with its first key claimed."""
        found = self.call("GET", f"/substrates/{substrate}").json()
        (first,) = self.call("GET", f"/substrates/{substrate}/keys").json()["keys"]
        claim = self.call("POST", f"/substrates/{substrate}/keys/{first['id']}/claim")
        assert claim.status_code == 200, claim.text
        return Instance(
            id=substrate,
            slug=found["slug"],
            url=found["instance_url"],
            mcp=found["mcp_endpoint"],
            key_id=first["id"],
            key=claim.json()["secret"],
            ca_file=self.ca_file,
            http=self.http,
        )
