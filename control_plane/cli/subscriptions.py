"""`loam subscriptions`: list, cancel, resume, change."""

import secrets
from typing import Any

import click

from control_plane.cli.connection import Connection
from control_plane.cli.following import finish, watch
from control_plane.cli.pages import everything
from control_plane.cli.shown import Answer, command

WORDS = {
    "trial_over": "the trial ends; it must be paid",
    "renewed": "it renews",
    "read_only": "it becomes read-only",
    "canceled": "it counts as canceled",
    "destroyed": "it is destroyed",
}


@click.group()
def subscriptions() -> None:
    """What you pay for."""


@subscriptions.command(name="list")
@command
def list_(connection: Connection, answer: Answer) -> None:
    """All of them, the newest first, and what happens to each next."""
    found = everything(connection, "/v1/subscriptions", "subscriptions")
    if answer.data({"subscriptions": found}):
        return
    rows = [(one["id"], one["plan"], one["state"], one["period_ends_at"], _next(one)) for one in found]
    answer.table(("subscription", "plan", "state", "paid until", "next"), rows)


@subscriptions.command()
@click.argument("subscription")
@click.option("--yes", is_flag=True, help="Do not ask.")
@command
def cancel(connection: Connection, answer: Answer, subscription: str, yes: bool) -> None:  # noqa: FBT001 - by name
    """Run to the period's end, then read-only for 30 days, then destroyed. Can be undone until the period's end."""
    if not yes:
        click.confirm(f"Cancel {subscription}?", abort=True, err=True)
    _show(answer, connection.call("POST", f"/v1/subscriptions/{subscription}/cancel").json())


@subscriptions.command()
@click.argument("subscription")
@command
def resume(connection: Connection, answer: Answer, subscription: str) -> None:
    """Undo a cancellation before the period's end."""
    _show(answer, connection.call("POST", f"/v1/subscriptions/{subscription}/resume").json())


@subscriptions.command()
@click.argument("subscription")
@click.argument("plan")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Watch until it has its new size.")
@click.option("--timeout", default=120.0, show_default=True, help="Seconds to watch at most.")
@command
def change(
    connection: Connection,
    answer: Answer,
    subscription: str,
    plan: str,
    wait: bool,  # noqa: FBT001 - click passes it by name
    timeout: float,
) -> None:
    """Change the plan in place: address, keys and memory stay, nothing restarts."""
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    path = f"/v1/subscriptions/{subscription}/change"
    found = connection.call("POST", path, body={"plan": plan}, headers=headers).json()
    if wait:
        operation = found["operation"]["id"]
        what, announced = "Its plan is still being changed", f"The plan is being changed: {operation}"
        ended = watch(connection, answer, operation, seconds=timeout, what=what, announced=announced)
        found["operation"] = ended
        if ended["status"] != "succeeded":
            finish(answer, ended, seconds=timeout)
    if not answer.data(found):
        answer.say(f"{subscription} is on the plan {found['subscription']['plan']}.")


def _show(answer: Answer, found: dict[str, Any]) -> None:
    if answer.data(found):
        return
    answer.facts({"subscription": found["id"], "plan": found["plan"], "state": found["state"]})
    for one in found["coming"]:
        answer.say(f"  {one['at']}  {WORDS.get(one['what'], one['what'])}")


def _next(found: dict[str, Any]) -> str:
    if not found["coming"]:
        return ""
    one = found["coming"][0]
    return f"{one['at']}: {WORDS.get(one['what'], one['what'])}"
