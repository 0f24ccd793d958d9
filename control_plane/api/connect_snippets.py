"""What to paste where: one table of MCP clients and the exact names each of them accepts.

A wrong name fails silently in most clients. `Authorization` refers to the environment variable `LOAM_API_KEY`, in each
client's own way of writing that, unless the key itself is given: that is for the moment in which it is shown anyway.
"""

import base64
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from shared.kernel.errors import AppError
from shared.kernel.product import NAME

VARIABLE: Final = "LOAM_API_KEY"
SEED: Final = "mcp"
"""The block that most clients understand; what is shown when no client is named."""


class ClientUnknown(AppError):
    """There is no snippet for this client."""

    code = "unknown_client"
    status = 422
    public = "There is no snippet for this client. Known are: {known}."
    next_action = "Name one of them, or use “{seed}”, which most clients understand."


class SnippetFile(msgspec.Struct, frozen=True):
    """A file and what stands in it."""

    path: str
    format: str
    """json, toml, yaml, python, typescript or shell"""
    content: str


class Snippet(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one client is connected."""

    client: str
    files: list[SnippetFile]
    command: str | None = None
    """Does the same without editing a file."""
    deeplink: str | None = None
    """Opens the client and asks for its consent."""
    notes: list[str] = []


@dataclass(frozen=True, slots=True)
class Target:
    """What a snippet points at."""

    name: str
    """What the client calls the server."""
    url: str
    """The MCP endpoint."""
    instance_url: str
    key: str | None
    ca_file: str | None = None
    """What must be trusted, where a private authority signs."""

    @property
    def curl(self) -> str:
        """How curl is called here."""
        return f"curl --cacert {shlex.quote(self.ca_file)}" if self.ca_file else "curl"

    def bearer(self, variable: str) -> str:
        """The header's value: the key, or the client's way to write the variable."""
        return f"Bearer {self.key or variable}"

    def headers(self, variable: str) -> dict[str, str]:
        """The header."""
        return {"Authorization": self.bearer(variable)}


def snippet(
    client: str,
    *,
    slug: str,
    instance_url: str,
    ca_file: str | None = None,
    ca_bundle: str | None = None,
    key: str | None = None,
) -> Snippet:
    """How to connect one client.

    Raises:
        ClientUnknown: see there.
    """
    make = CLIENTS.get(client)
    if make is None:
        raise ClientUnknown(shown={"known": ", ".join(CLIENTS), "seed": SEED})
    made = make(Target(f"{NAME}-{slug[:4]}", f"{instance_url}/mcp", instance_url, key, ca_file))
    notes = [*made.notes]
    if ca_file is not None:
        notes.append(_trust(ca_file, ca_bundle))
    return Snippet(client, made.files, made.command, made.deeplink, notes)


def _trust(ca_file: str, ca_bundle: str | None) -> str:
    """How clients are told to trust a private authority without losing the public ones."""
    python = f" or SSL_CERT_FILE={ca_bundle} (Python and others)" if ca_bundle else ""
    return (
        "This server's certificate is signed by a private authority. Start the client with "
        f"NODE_EXTRA_CA_CERTS={ca_file} (Node){python}. On another machine, copy the file there and name its place."
    )


def _seed(target: Target) -> Snippet:
    server = {"type": "streamable-http", "url": target.url, "headers": target.headers(f"${{{VARIABLE}}}")}
    return _one(SEED, "mcp.json", {"mcpServers": {target.name: server}})


def _claude_code(target: Target) -> Snippet:
    server = {"type": "http", "url": target.url, "headers": target.headers(f"${{{VARIABLE}}}")}
    command = (
        f"claude mcp add --transport http {target.name} {target.url} --scope user "
        f'--header "Authorization: {target.bearer(f"${VARIABLE}")}"'
    )
    return _one("claude-code", ".mcp.json", {"mcpServers": {target.name: server}}, command=command)


def _claude_desktop(target: Target) -> Snippet:
    server = {
        "command": "npx",
        # No space after the colon: it is split at spaces on Windows.
        "args": ["-y", "mcp-remote", target.url, "--header", "Authorization:${AUTH_HEADER}"],
        "env": {"AUTH_HEADER": target.bearer("YOUR_KEY")},
    }
    notes = [] if target.key else ["This client does not read variables here: put your key in place of YOUR_KEY."]
    return _one("claude-desktop", "claude_desktop_config.json", {"mcpServers": {target.name: server}}, notes=notes)


def _mcp_remote(target: Target) -> Snippet:
    made = _claude_desktop(target)
    command = f'npx -y mcp-remote {target.url} --header "Authorization:{target.bearer(f"${VARIABLE}")}"'
    return Snippet("mcp-remote", made.files, command, None, made.notes)


def _cursor(target: Target) -> Snippet:
    server = {"url": target.url, "headers": target.headers(f"${{env:{VARIABLE}}}")}
    config = base64.b64encode(json.dumps(server).encode()).decode()
    link = f"cursor://anysphere.cursor-deeplink/mcp/install?name={quote(target.name)}&config={quote(config)}"
    return _one("cursor", "~/.cursor/mcp.json", {"mcpServers": {target.name: server}}, deeplink=link)


def _vscode(target: Target) -> Snippet:
    asked = {
        "type": "promptString",
        "id": f"{target.name}-key",
        "description": f"API key of {target.name}",
        "password": True,
    }
    server = {"type": "http", "url": target.url, "headers": target.headers(f"${{input:{asked['id']}}}")}
    link = "vscode:mcp/install?" + quote(json.dumps({"name": target.name, "inputs": [asked], **server}))
    return _one("vscode", ".vscode/mcp.json", {"inputs": [asked], "servers": {target.name: server}}, deeplink=link)


def _windsurf(target: Target) -> Snippet:
    server = {"serverUrl": target.url, "headers": target.headers(f"${{env:{VARIABLE}}}")}
    return _one("windsurf", "~/.codeium/windsurf/mcp_config.json", {"mcpServers": {target.name: server}})


def _codex(target: Target) -> Snippet:
    lines = [f"[mcp_servers.{target.name}]", f'url = "{target.url}"', f'bearer_token_env_var = "{VARIABLE}"']
    return Snippet("codex", [SnippetFile("~/.codex/config.toml", "toml", "\n".join(lines) + "\n")])


def _gemini(target: Target) -> Snippet:
    server = {"httpUrl": target.url, "headers": target.headers(f"${{{VARIABLE}}}")}
    return _one("gemini-cli", "~/.gemini/settings.json", {"mcpServers": {target.name: server}})


def _openclaw(target: Target) -> Snippet:
    server = {"url": target.url, "transport": "streamable-http", "headers": target.headers(f"${{{VARIABLE}}}")}
    made = _one("openclaw", "~/.openclaw/openclaw.json", {"mcp": {"servers": {target.name: server}}})
    return msgspec.structs.replace(made, notes=[f"Check it with: openclaw mcp doctor {target.name} --probe"])


def _opencode(target: Target) -> Snippet:
    server = {
        "type": "remote",
        "url": target.url,
        "enabled": True,
        "oauth": False,
        "headers": target.headers(f"{{env:{VARIABLE}}}"),
    }
    return _one("opencode", "opencode.json", {"mcp": {target.name: server}})


def _python(target: Target) -> Snippet:
    key = repr(target.key) if target.key else f'os.environ["{VARIABLE}"]'
    text = f"""{"" if target.key else "import os" + chr(10) * 2}import httpx

key = {key}
loam = httpx.Client(base_url="{target.instance_url}", headers={{"Authorization": f"Bearer {{key}}"}})
loam.post("/v1/atoms", json={{"atoms": [{{"content": "The office closes at six."}}]}}).raise_for_status()
print(loam.post("/v1/search", json={{"query": "When does the office close?", "limit": 5}}).json())
"""
    return Snippet("python", [SnippetFile("memory.py", "python", text)], "pip install httpx && python memory.py")


def _typescript(target: Target) -> Snippet:
    key = json.dumps(target.key) if target.key else f"process.env.{VARIABLE}"
    text = f"""const loam = (path: string, body: unknown) =>
  fetch("{target.instance_url}" + path, {{
    method: "POST",
    headers: {{ Authorization: `Bearer ${{{key}}}`, "Content-Type": "application/json" }},
    body: JSON.stringify(body),
  }}).then((answer) => answer.json());

await loam("/v1/atoms", {{ atoms: [{{ content: "The office closes at six." }}] }});
console.log(await loam("/v1/search", {{ query: "When does the office close?", limit: 5 }}));
"""
    return Snippet("typescript", [SnippetFile("memory.mts", "typescript", text)], "npx tsx memory.mts")


def _curl(target: Target) -> Snippet:
    header = f'-H "Authorization: {target.bearer(f"${VARIABLE}")}"'
    text = f"""{target.curl} {target.instance_url}/v1/atoms {header} \\
  --json '{{"atoms": [{{"content": "The office closes at six."}}]}}'
{target.curl} {target.instance_url}/v1/search {header} \\
  --json '{{"query": "When does the office close?", "limit": 5}}'
"""
    return Snippet(
        "curl", [SnippetFile("memory.sh", "shell", text)], f"{target.curl} {target.instance_url}/v1/whoami {header}"
    )


CLIENTS: Final[Mapping[str, Callable[[Target], Snippet]]] = {
    SEED: _seed,
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "mcp-remote": _mcp_remote,
    "cursor": _cursor,
    "vscode": _vscode,
    "windsurf": _windsurf,
    "codex": _codex,
    "gemini-cli": _gemini,
    "openclaw": _openclaw,
    "opencode": _opencode,
    "python": _python,
    "typescript": _typescript,
    "curl": _curl,
}


def _one(
    client: str,
    path: str,
    content: Mapping[str, Any],
    *,
    command: str | None = None,
    deeplink: str | None = None,
    notes: list[str] | None = None,
) -> Snippet:
    """A snippet that is one JSON file."""
    text = json.dumps(content, indent=2) + "\n"
    return Snippet(client, [SnippetFile(path, "json", text)], command, deeplink, notes or [])
