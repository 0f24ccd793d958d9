"""Real MCP clients, each as its own documentation says, through TLS with the private CA, by host name."""

import json
import os
import subprocess

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from tests.support import node_clients

pytestmark = [pytest.mark.journey, pytest.mark.clients]

CLIENT_SECONDS = 60
TOOLS = {"memory_save", "memory_search", "memory_get", "memory_list", "memory_forget"}


async def save_and_search(client: Client) -> tuple[set[str], str]:
    """What every agent does first."""
    tools = {tool.name for tool in (await client.list_tools()).tools}
    saved = await client.call_tool("memory_save", {"atoms": [{"content": "The office moved to Lisbon in May."}]})
    assert not saved.is_error, saved
    found = await client.call_tool("memory_search", {"query": "where is the office?"})
    assert found.structured_content is not None
    content: str = found.structured_content["results"][0]["content"]
    return tools, content


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_the_python_sdk_saves_and_searches(shared_instance, monkeypatch, mode):
    monkeypatch.setenv("SSL_CERT_FILE", str(shared_instance.ca_file))

    async with (
        httpx2.AsyncClient(headers=shared_instance.authorization, timeout=CLIENT_SECONDS) as http,
        Client(streamable_http_client(shared_instance.mcp, http_client=http), mode=mode) as client,
    ):
        tools, content = await save_and_search(client)

    assert tools >= TOOLS
    assert content == "The office moved to Lisbon in May."


@pytest.mark.parametrize("script", ["sdk_v1.mjs", "sdk_v2.mjs"])
def test_the_typescript_sdk_saves_and_searches(shared_instance, script):
    done = subprocess.run(
        [node_clients.BIN / "node", script],
        cwd=node_clients.installed(),
        env={
            "PATH": os.environ["PATH"],
            "LOAM_MCP": shared_instance.mcp,
            "LOAM_API_KEY": shared_instance.key,
            "NODE_EXTRA_CA_CERTS": str(shared_instance.ca_file),
        },
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert set(told["tools"]) >= TOOLS
    assert told["found"]["results"][0]["content"] == "The office moved to Lisbon in May."


async def test_mcp_remote_bridges_a_client_that_speaks_stdio_only(shared_instance, tmp_path):
    """As Claude Desktop starts it: the header without a space after its colon, the key from the environment."""
    bridge = StdioServerParameters(
        command=str(node_clients.BIN / "node"),
        args=[
            str(node_clients.installed() / "node_modules" / "mcp-remote" / "dist" / "proxy.js"),
            shared_instance.mcp,
            "--transport",
            "http-only",
            "--header",
            "Authorization:${AUTH_HEADER}",
        ],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AUTH_HEADER": f"Bearer {shared_instance.key}",
            "NODE_EXTRA_CA_CERTS": str(shared_instance.ca_file),
        },
    )

    async with Client(bridge) as client:
        tools, content = await save_and_search(client)

    assert tools >= TOOLS
    assert content == "The office moved to Lisbon in May."
