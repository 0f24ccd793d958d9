"""`loam backups`: list, create, restore."""

import click

from control_plane.cli.connection import Connection
from control_plane.cli.following import finish, watch
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command

TIMEOUT = click.option("--timeout", default=3600.0, show_default=True, help="Seconds to watch at most.")


@click.group()
def backups() -> None:
    """Copies of a substrate's memory."""


@backups.command(name="list")
@click.argument("substrate")
@command
def list_(connection: Connection, answer: Answer, substrate: str) -> None:
    """Those that can be restored, the newest first."""
    found = everything(connection, f"/v1/substrates/{substrate}/backups", "backups")
    if answer.data({"backups": found}):
        return
    rows = [(one["id"], one["created_at"], one["reason"], f"{one['memory_bytes']:,}") for one in found]
    answer.table(("backup", "made", "because", "bytes of memory"), rows)


@backups.command()
@click.argument("substrate")
@TIMEOUT
@command
def create(connection: Connection, answer: Answer, substrate: str, timeout: float) -> None:
    """Copy the memory as it is now."""
    operation = connection.call("POST", f"/v1/substrates/{substrate}/backups").json()["operation"]
    what, announced = f"{substrate} is still being backed up", f"{substrate} is being backed up: {operation['id']}"
    ended = watch(connection, answer, operation["id"], seconds=timeout, what=what, announced=announced)
    finish(answer, ended, seconds=timeout)


@backups.command()
@click.argument("substrate")
@click.argument("backup")
@click.option("--yes", is_flag=True, help="Do not ask.")
@TIMEOUT
@command
def restore(
    connection: Connection,
    answer: Answer,
    substrate: str,
    backup: str,
    yes: bool,  # noqa: FBT001 - click passes it by name
    timeout: float,
) -> None:
    """Put the memory back as it was then. What was saved since is gone."""
    if not yes:
        click.confirm(f"Put the memory of {substrate} back as it was in {backup}?", abort=True, err=True)
    operation = connection.call("POST", f"/v1/substrates/{substrate}/backups/{backup}/restore").json()["operation"]
    what, announced = f"{substrate} is still being restored", f"{substrate} is being restored: {operation['id']}"
    ended = watch(connection, answer, operation["id"], seconds=timeout, what=what, announced=announced)
    finish(answer, ended, seconds=timeout)
