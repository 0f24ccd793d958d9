"""What customers paste into their clients."""

import ast
import base64
import json
import shutil
import subprocess
import tomllib
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from control_plane.api import docs_page
from control_plane.api.connect_snippets import CLIENTS, VARIABLE, snippet

URL = "https://abcdefghij.loam.localhost:8443"
KEY = "mmk_" + "A" * 38


def made(client, **more):
    return snippet(client, slug="abcdefghij", instance_url=URL, **more)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_snippet_names_the_client_and_its_endpoint(client):
    found = made(client)

    assert found.client == client
    assert any(URL in file.content for file in found.files)
    for file in found.files:
        {"json": json.loads, "toml": tomllib.loads, "python": ast.parse}.get(file.format, str)(file.content)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_snippet_without_the_key_holds_none(client):
    assert "mmk_" not in json.dumps([made(client).command, *(file.content for file in made(client).files)])


@pytest.mark.parametrize("client", set(CLIENTS) - {"vscode", "codex"})
def test_with_the_key_nothing_has_to_be_filled_in(client):
    found = made(client, key=KEY)

    assert any(KEY in file.content for file in found.files)
    assert not any(VARIABLE in file.content for file in found.files)


@pytest.mark.parametrize(
    ("client", "place", "expected"),
    [
        ("mcp", ("mcpServers",), {"type": "streamable-http", "url": f"{URL}/mcp"}),
        ("claude-code", ("mcpServers",), {"type": "http", "url": f"{URL}/mcp"}),
        ("cursor", ("mcpServers",), {"url": f"{URL}/mcp"}),
        ("vscode", ("servers",), {"type": "http", "url": f"{URL}/mcp"}),
        ("windsurf", ("mcpServers",), {"serverUrl": f"{URL}/mcp"}),
        ("gemini-cli", ("mcpServers",), {"httpUrl": f"{URL}/mcp"}),
        ("openclaw", ("mcp", "servers"), {"url": f"{URL}/mcp", "transport": "streamable-http"}),
        ("opencode", ("mcp",), {"type": "remote", "url": f"{URL}/mcp", "enabled": True, "oauth": False}),
    ],
)
def test_each_client_gets_exactly_the_names_it_accepts(client, place, expected):
    found = json.loads(made(client).files[0].content)
    for name in place:
        found = found[name]

    assert found["loam-abcd"].pop("headers")["Authorization"].startswith("Bearer ")
    assert found["loam-abcd"] == expected


def test_codex_reads_the_key_from_the_environment():
    found = tomllib.loads(made("codex").files[0].content)["mcp_servers"]["loam-abcd"]

    assert found == {"url": f"{URL}/mcp", "bearer_token_env_var": VARIABLE}


def test_the_bridge_gets_its_header_without_a_space():
    found = json.loads(made("claude-desktop", key=KEY).files[0].content)["mcpServers"]["loam-abcd"]

    assert found["command"] == "npx"
    assert found["args"] == ["-y", "mcp-remote", f"{URL}/mcp", "--header", "Authorization:${AUTH_HEADER}"]
    assert found["env"] == {"AUTH_HEADER": f"Bearer {KEY}"}


def test_cursors_link_holds_what_its_file_holds():
    found = made("cursor")
    query = parse_qs(urlsplit(found.deeplink).query)

    inner = json.loads(base64.b64decode(query["config"][0]))

    assert json.loads(found.files[0].content)["mcpServers"][query["name"][0]] == inner


def test_vs_codes_link_names_the_server():
    link = made("vscode").deeplink

    assert json.loads(unquote(link.removeprefix("vscode:mcp/install?")))["name"] == "loam-abcd"


@pytest.mark.parametrize("client", ["curl"])
def test_a_shell_reads_the_commands(client):
    shell = shutil.which("bash")
    assert shell

    for text in (made(client).files[0].content, made(client).command, made("claude-code").command):
        subprocess.run([shell, "-n", "-c", text], check=True)


def test_curl_is_told_to_trust_a_private_authority():
    found = made("curl", ca_file="/var/lib/loam/ca.pem")

    commands = [line for line in (*found.files[0].content.splitlines(), found.command) if line.startswith("curl")]
    assert len(commands) == 3
    assert all(command.startswith("curl --cacert /var/lib/loam/ca.pem https://") for command in commands)


def test_a_variable_that_replaces_all_trust_is_pointed_at_the_bundle():
    found = made("python", ca_file="/var/lib/loam/ca.pem", ca_bundle="/var/lib/loam/ca-bundle.pem")

    assert "NODE_EXTRA_CA_CERTS=/var/lib/loam/ca.pem" in found.notes[-1]
    assert "SSL_CERT_FILE=/var/lib/loam/ca-bundle.pem" in found.notes[-1]


def test_the_page_tells_curl_what_to_trust():
    schema = {
        "info": {"title": "t", "version": "1", "description": "d"},
        "paths": {"/v1/plans": {"get": {"operationId": "list_plans", "tags": ["Plans"], "responses": {}}}},
    }

    page = docs_page.render(schema, URL, ca_file="/var/lib/loam/ca.pem")

    assert f"curl --cacert /var/lib/loam/ca.pem {URL}/v1/plans" in page
    assert f"curl {URL}/v1/plans" in docs_page.render(schema, URL)


def test_a_private_authority_is_explained():
    assert "/var/lib/loam/ca.pem" in made("claude-code", ca_file="/var/lib/loam/ca.pem").notes[0]
    assert not made("claude-code").notes


async def test_the_api_hands_snippets_out(customer):
    substrate = (await customer.subscribe())["substrate"]

    found = (await customer.get(f"/substrates/{substrate['id']}/connect?client=cursor")).json()

    assert found["client"] == "cursor"
    assert substrate["mcp_endpoint"] in found["files"][0]["content"]
    assert {"path", "format", "content"} == found["files"][0].keys()
    assert found["deeplink"].startswith("cursor://")


async def test_without_a_name_it_is_the_block_that_most_clients_take(customer):
    substrate = (await customer.subscribe())["substrate"]["id"]

    assert (await customer.get(f"/substrates/{substrate}/connect")).json()["client"] == "mcp"


async def test_an_unknown_client_is_told_which_are_known(customer):
    substrate = (await customer.subscribe())["substrate"]["id"]

    answer = await customer.get(f"/substrates/{substrate}/connect?client=notepad")

    assert answer.status_code == 422
    assert answer.json()["code"] == "unknown_client"
    assert "claude-code" in answer.json()["detail"]
