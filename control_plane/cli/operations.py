"""`loam operations`: list, show, wait, cancel, retry."""

import click

from control_plane.cli.connection import Connection
from control_plane.cli.following import finish, show, watch
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command


@click.group()
def operations() -> None:
    """Work that outlasts a request."""


@operations.command(name="list")
@click.argument("substrate")
@command
def list_(connection: Connection, answer: Answer, substrate: str) -> None:
    """What was done with a substrate, the newest first."""
    found = everything(connection, f"/v1/substrates/{substrate}/operations", "operations")
    if answer.data({"operations": found}):
        return
    rows = [(one["id"], one["kind"], one["status"], f"{one['percent']} %", one["created_at"]) for one in found]
    answer.table(("operation", "kind", "status", "done", "since"), rows)


@operations.command(name="show")
@click.argument("operation")
@command
def show_(connection: Connection, answer: Answer, operation: str) -> None:
    """How far it is."""
    show(answer, connection.call("GET", f"/v1/operations/{operation}").json())


@operations.command()
@click.argument("operation")
@click.option("--timeout", default=600.0, show_default=True, help="Seconds to watch at most.")
@command
def wait(connection: Connection, answer: Answer, operation: str, timeout: float) -> None:
    """Watch it until it has ended; fails unless it succeeded."""
    finish(
        answer,
        watch(connection, answer, operation, seconds=timeout, what=f"{operation} goes on", announced=""),
        seconds=timeout,
    )


@operations.command()
@click.argument("operation")
@command
def cancel(connection: Connection, answer: Answer, operation: str) -> None:
    """Call it off."""
    show(answer, connection.call("POST", f"/v1/operations/{operation}/cancel").json())


@operations.command()
@click.argument("operation")
@command
def retry(connection: Connection, answer: Answer, operation: str) -> None:
    """Begin anew what failed or was canceled."""
    show(answer, connection.call("POST", f"/v1/operations/{operation}/retry").json())
