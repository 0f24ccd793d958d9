"""`loam keys`: list, create, claim, rotate, revoke. A secret is shown the one time that the API shows it."""

import secrets
from typing import Any

import click

from control_plane.cli.connection import Connection
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command


@click.group()
def keys() -> None:
    """API keys of a memory server."""


@keys.command(name="list")
@click.argument("substrate")
@command
def list_(connection: Connection, answer: Answer, substrate: str) -> None:
    """All keys, the oldest first, revoked ones too."""
    found = everything(connection, f"/v1/substrates/{substrate}/keys", "keys")
    if answer.data({"keys": found}):
        return
    rows = [
        (
            key["id"],
            key["name"],
            f"{key['prefix']}…",
            key["state"],
            ", ".join(key["scopes"]),
            key["expires_at"],
            key["last_used_at"],
        )
        for key in found
    ]
    answer.table(("key", "name", "begins with", "state", "scopes", "expires", "last used"), rows)


@keys.command()
@click.argument("substrate")
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, help="read, write, export, erase; repeat it. Default: all but erase.")
@click.option("--expires-at", default=None, help="Such as 2030-01-31T00:00:00Z.")
@command
def create(
    connection: Connection,
    answer: Answer,
    substrate: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: str | None,
) -> None:
    """Make a key for one device or person."""
    body: dict[str, Any] = {"name": name}
    if scopes:
        body["scopes"] = list(scopes)
    if expires_at is not None:
        body["expires_at"] = expires_at
    _reveal(answer, connection.call("POST", f"/v1/substrates/{substrate}/keys", body=body, headers=_fresh()).json())


@keys.command()
@click.argument("substrate")
@click.argument("key", required=False)
@command
def claim(connection: Connection, answer: Answer, substrate: str, key: str | None) -> None:
    """Take the secret of the key that was made for you (default: the first one)."""
    if key is None:
        found = everything(connection, f"/v1/substrates/{substrate}/keys", "keys")
        if not found:
            raise click.UsageError("This substrate has no key; create one with `loam keys create`.")
        key = found[0]["id"]
    path = f"/v1/substrates/{substrate}/keys/{key}/claim"
    _reveal(answer, connection.call("POST", path, headers=_fresh()).json())


@keys.command()
@click.argument("substrate")
@click.argument("key")
@click.option(
    "--grace",
    type=click.Choice(["0", "1h", "24h", "72h", "7d"]),
    default="24h",
    show_default=True,
    help="How long the old secret goes on working.",
)
@command
def rotate(connection: Connection, answer: Answer, substrate: str, key: str, grace: str) -> None:
    """Replace a key's secret."""
    path = f"/v1/substrates/{substrate}/keys/{key}/rotate"
    found = connection.call("POST", path, body={"grace": grace}, headers=_fresh()).json()
    _reveal(answer, found)
    if not answer.as_json:
        answer.say(f"The old secret works until {found['previous_expires_at']}.")


@keys.command()
@click.argument("substrate")
@click.argument("key")
@command
def revoke(connection: Connection, answer: Answer, substrate: str, key: str) -> None:
    """End a key for good."""
    found = connection.call("DELETE", f"/v1/substrates/{substrate}/keys/{key}").json()
    if answer.data(found):
        return
    if found["propagated"]:
        answer.say("Revoked; the instance refuses it from now on.")
    else:
        answer.say("Revoked; the instance has not acknowledged it yet, and is told until it has.")
        answer.say(f"Follow it with: loam operations wait {found['operation']['id']}")


def _reveal(answer: Answer, found: dict[str, Any]) -> None:
    if answer.data(found):
        return
    answer.facts({"key": found["key"]["id"], "name": found["key"]["name"], "scopes": ", ".join(found["key"]["scopes"])})
    answer.secret(found["secret"])


def _fresh() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}
