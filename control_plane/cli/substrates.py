"""`loam substrates`: list, show, connect, delete, undelete, receipt."""

from typing import Any
from urllib.parse import urlencode

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
@click.option("--now", is_flag=True, help="Erase at once; asks for the slug. Nothing brings it back.")
@click.option("--confirm", default=None, help="The slug, for scripts that erase at once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="With --now: watch until it is gone.")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to watch at most.")
@command
def delete(
    connection: Connection,
    answer: Answer,
    substrate: str,
    now: bool,  # noqa: FBT001 - click passes it by name
    confirm: str | None,
    yes: bool,  # noqa: FBT001
    wait: bool,  # noqa: FBT001
    timeout: float,
) -> None:
    """Delete one: read-only for 72 hours in which `undelete` brings it back, then erased with memory and keys."""
    query: dict[str, str] = {}
    if now:
        typed = confirm or click.prompt(f"Type the slug of {substrate} to erase it with all its memory", err=True)
        query = {"now": "true", "confirm": typed}
    elif not yes:
        click.confirm(f"Delete {substrate}?", abort=True, err=True)
    path = f"/v1/substrates/{substrate}" + (f"?{urlencode(query)}" if query else "")
    again = f"`loam substrates delete {substrate}{' --now' if now else ''}`"
    with interruptible(f"No answer has come: {substrate} may be deleted already or not. Again is safe: {again}"):
        operation = connection.call("DELETE", path).json()["operation"]
    if operation["held_until"] is None and wait:
        what = f"{substrate} is still being erased"
        announced = f"{substrate} is being erased: {operation['id']}"
        finish(
            answer,
            watch(connection, answer, operation["id"], seconds=timeout, what=what, announced=announced),
            seconds=timeout,
        )
    elif operation["held_until"] is None or answer.as_json:
        show(answer, operation)
    else:
        answer.say(f"Read-only now, and erased at {operation['held_until']}.")
        answer.say(f"Until then: loam substrates undelete {escape(substrate)}")


@substrates.command()
@click.argument("substrate")
@command
def undelete(connection: Connection, answer: Answer, substrate: str) -> None:
    """Undo a deletion within its 72 hours."""
    found = connection.call("POST", f"/v1/substrates/{substrate}/undelete").json()
    if not answer.data(found):
        answer.facts({"substrate": found["id"], "status": found["status"], "reason": found["status_reason"]})


@substrates.command()
@click.argument("substrate")
@command
def receipt(connection: Connection, answer: Answer, substrate: str) -> None:
    """What was destroyed, when, and when the last backup of it ends."""
    found = connection.call("GET", f"/v1/substrates/{substrate}/receipt").json()
    if not answer.data(found):
        answer.facts({name: value for name, value in found.items() if name != "destroyed"} | found["destroyed"])


def _status(found: dict[str, Any]) -> str:
    return "asleep" if found["asleep"] else str(found["status"])


def _used(found: dict[str, Any]) -> str:
    limit = "unlimited" if found["limit"] is None else f"{found['limit']:,}"
    return f"{found['used']:,} of {limit}"
