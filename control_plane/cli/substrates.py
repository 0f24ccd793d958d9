"""`loam substrates`: list, show, delete, connect."""

from typing import Any

import click
from rich.markup import escape

from control_plane.cli.connection import Connection
from control_plane.cli.following import finish, interruptible, show, watch
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command


@click.group()
def substrates() -> None:
    """Your memory servers."""


@substrates.command(name="list")
@command
def list_(connection: Connection, answer: Answer) -> None:
    """All of them, the newest first."""
    found = everything(connection, "/v1/substrates", "substrates")
    if answer.data({"substrates": found}):
        return
    rows = [
        (one["id"], _status(one), one["plan"], _used(one["atoms"]), one["mcp_endpoint"], one["created_at"])
        for one in found
    ]
    answer.table(("substrate", "status", "plan", "atoms", "MCP endpoint", "since"), rows)


@substrates.command(name="show")
@click.argument("substrate")
@command
def show_(connection: Connection, answer: Answer, substrate: str) -> None:
    """One of them: where it is, how it is, what it uses."""
    found = connection.call("GET", f"/v1/substrates/{substrate}").json()
    if answer.data(found):
        return
    answer.facts(
        {
            "substrate": found["id"],
            "status": _status(found),
            "reason": found["status_reason"],
            "plan": found["plan"],
            "instance": found["instance_url"],
            "MCP endpoint": found["mcp_endpoint"],
            "atoms": _used(found["atoms"]),
            "bootstraps": f"{_used(found['bootstraps'])}, anew at {found['bootstraps']['resets_at']}",
            "storage": f"{_used(found['storage_bytes'])} bytes",
            "observed": found["observed_at"],
            "last request": found["last_request_at"],
            "operation": found["operation_id"],
        }
    )


@substrates.command()
@click.argument("substrate")
@click.option("--client", default="mcp", show_default=True, help="Such as claude-code, cursor, vscode, curl.")
@command
def connect(connection: Connection, answer: Answer, substrate: str, client: str) -> None:
    """What to paste where to connect a client."""
    found = connection.call("GET", f"/v1/substrates/{substrate}/connect?client={client}").json()
    if answer.data(found):
        return
    for file in found["files"]:
        answer.say(f"[dim]{escape(file['path'])}[/]")
        click.echo(file["content"])
    for name in ("command", "deeplink"):
        if found.get(name):
            answer.say(f"[dim]{name}[/]")
            click.echo(found[name])
    for note in found.get("notes", []):
        answer.say(escape(note))


@substrates.command()
@click.argument("substrate")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch until it is gone.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to watch at most.")
@command
def delete(
    connection: Connection,
    answer: Answer,
    substrate: str,
    yes: bool,  # noqa: FBT001 - click passes it by name
    wait: bool,  # noqa: FBT001
    timeout: float,
) -> None:
    """Erase one with all its memory and keys. Nothing brings it back."""
    if not yes:
        click.confirm(f"Erase {substrate} with all its memory and keys?", abort=True, err=True)
    again = f"`loam substrates delete {substrate} --yes`"
    with interruptible(f"No answer has come: {substrate} may be erased already or not. Again is safe: {again}"):
        operation = connection.call("DELETE", f"/v1/substrates/{substrate}").json()["operation"]
    if not wait:
        show(answer, operation)
        return
    what = f"{substrate} is still being erased"
    announced = f"{substrate} is being erased: {operation['id']}"
    finish(
        answer,
        watch(connection, answer, operation["id"], seconds=timeout, what=what, announced=announced),
        seconds=timeout,
    )


def _status(found: dict[str, Any]) -> str:
    return "asleep" if found["asleep"] else str(found["status"])


def _used(found: dict[str, Any]) -> str:
    limit = "unlimited" if found["limit"] is None else f"{found['limit']:,}"
    return f"{found['used']:,} of {limit}"
