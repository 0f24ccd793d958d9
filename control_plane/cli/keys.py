"""`loam keys`: list, create, claim, rotate, revoke. A secret is shown the one time that the API shows it."""

import secrets
from datetime import UTC, datetime
from typing import Any

import click

from control_plane.cli.connection import Connection, Refused
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command
from shared.contracts.policy import Scope
from shared.kernel.clock import iso


class Moment(click.ParamType[datetime]):
    """A moment in ISO 8601; without an offset it is UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """See `click.ParamType.convert`."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"“{value}” is no moment; write it such as 2030-01-31T00:00:00Z.", param, ctx)
        return found if found.tzinfo else found.replace(tzinfo=UTC)


MOMENT = Moment()


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
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="Repeat it for several. Default: all but erase.",
)
@click.option("--expires-at", type=MOMENT, default=None, help="Such as 2030-01-31T00:00:00Z.")
@command
def create(
    connection: Connection,
    answer: Answer,
    substrate: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime | None,
) -> None:
    """Make a key for one device or person."""
    body: dict[str, Any] = {"name": name}
    if scopes:
        body["scopes"] = list(scopes)
    if expires_at is not None:
        body["expires_at"] = iso(expires_at)
    _reveal(answer, connection.call("POST", f"/v1/substrates/{substrate}/keys", body=body, headers=_fresh()).json())


@keys.command()
@click.argument("substrate")
@click.argument("key", required=False)
@command
def claim(connection: Connection, answer: Answer, substrate: str, key: str | None) -> None:
    """Take the secret of the key that was made for you (default: the first one)."""
    path = f"/v1/substrates/{substrate}/keys/{_first(connection, substrate, key)}/claim"
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
    path = f"/v1/substrates/{substrate}/keys/{_found(connection, substrate, key)['id']}/rotate"
    found = connection.call("POST", path, body={"grace": grace}, headers=_fresh()).json()
    _reveal(answer, found)
    if not answer.as_json:
        until = f"works until {found['previous_expires_at']}" if grace != "0" else "is refused from now on"
        answer.say(f"The old secret {until}.")


@keys.command()
@click.argument("substrate")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@command
def revoke(
    connection: Connection,
    answer: Answer,
    substrate: str,
    key: str,
    yes: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """End a key for good."""
    known = _found(connection, substrate, key)
    if not yes:
        question = f"Revoke “{known['name']}” ({known['prefix']}…)? Whoever uses it is refused from then on."
        click.confirm(question, abort=True, err=True)
    found = connection.call("DELETE", f"/v1/substrates/{substrate}/keys/{known['id']}").json()
    if answer.data(found):
        return
    if found["propagated"]:
        answer.say("Revoked; the instance refuses it from now on.")
    else:
        answer.say("Revoked; the instance has not acknowledged it yet, and is told until it has.")
        answer.say(f"Follow it with: loam operations wait {found['operation']['id']}")


def _first(connection: Connection, substrate: str, key: str | None) -> str:
    if key is not None:
        return str(_found(connection, substrate, key)["id"])
    known = everything(connection, f"/v1/substrates/{substrate}/keys", "keys")
    if not known:
        raise click.UsageError("This substrate has no key; create one with `loam keys create`.")
    return str(known[0]["id"])


def _found(connection: Connection, substrate: str, key: str) -> dict[str, Any]:
    """A key by its id or its name; of several with one name, the one that is not revoked."""
    known = everything(connection, f"/v1/substrates/{substrate}/keys", "keys")
    matching = [one for one in known if key in {one["id"], one["name"]}]
    if not matching:
        problem = {
            "code": "key_not_found",
            "status": 404,
            "detail": f"There is no key “{key}”.",
            "next_action": f"`loam keys list {substrate}` shows them.",
        }
        raise Refused(problem)
    return min(matching, key=lambda one: one["state"] == "revoked")


def _reveal(answer: Answer, found: dict[str, Any]) -> None:
    if answer.data(found):
        return
    answer.facts({"key": found["key"]["id"], "name": found["key"]["name"], "scopes": ", ".join(found["key"]["scopes"])})
    answer.secret(found["secret"])


def _fresh() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}
