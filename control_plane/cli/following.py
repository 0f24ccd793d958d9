"""Watching an operation until it has ended: its steps as they happen."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.markup import escape
from rich.status import Status

from control_plane.cli.connection import Connection
from control_plane.cli.shown import ERR, INTERRUPTED, NOT_SUCCEEDED, Answer

HOLD_SECONDS: Final = 20
"""How long one request is held open; a change answers it at once."""

ENDED: Final = frozenset({"succeeded", "failed", "canceled"})


def follow(connection: Connection, answer: Answer, operation: str, *, seconds: float) -> dict[str, Any]:
    """The operation once it has ended, or as it is when the time is over; each step is shown meanwhile."""
    ends = time.monotonic() + seconds
    known: dict[str, str] = {}
    found: dict[str, Any] = {}
    with _progress(answer) as status:
        while True:
            left = max(0, min(HOLD_SECONDS, int(ends - time.monotonic())))
            reply = connection.call("GET", f"/v1/operations/{operation}?wait={left}", headers=known)
            if reply.status_code != 304:  # noqa: PLR2004 (RFC 9110, section 15.4.5)
                found = reply.json()
                known = {"If-None-Match": reply.headers.get("etag", "")}
                if status is not None:
                    status.update(f"{found['percent']:>3} %  {escape(_current(found))} …")
            if found["status"] in ENDED or time.monotonic() >= ends:
                return found


@contextmanager
def interruptible(*sentences: str) -> Iterator[None]:
    """Ctrl-C ends the watching and not the work: these sentences say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        for sentence in sentences:
            ERR.print(escape(sentence))
        sys.exit(INTERRUPTED)


def watch(
    connection: Connection, answer: Answer, operation: str, *, seconds: float, what: str, announced: str
) -> dict[str, Any]:
    """As `follow`; whoever presses Ctrl-C is told `what` goes on, and how to watch again."""
    goes_on = f"{what}; `loam operations wait {operation}` watches again."
    with interruptible(f"Not watching any more. {goes_on}"):
        answer.aside(announced)
        return follow(connection, answer, operation, seconds=seconds)


def show(answer: Answer, operation: dict[str, Any]) -> None:
    """An operation with its steps."""
    if answer.data(operation):
        return
    answer.facts(
        {
            "operation": operation["id"],
            "kind": operation["kind"],
            "status": operation["status"],
            "substrate": operation["substrate_id"],
            "percent": operation["percent"],
        }
    )
    marks = {"done": "[green]✓[/]", "running": "[yellow]…[/]", "failed": "[red]✗[/]", "pending": "[dim]·[/]"}
    for step in operation["steps"]:
        answer.say(f"  {marks[step['status']]} {escape(step['title'])}")
    if operation["error"]:
        answer.say(f"[bold red]{escape(operation['error']['detail'])}[/]")
        answer.say(escape(operation["error"].get("next_action") or ""))


def finish(answer: Answer, operation: dict[str, Any], *, seconds: float) -> None:
    """Show how an operation ended, or that it has not after so many seconds, and fail if it did not succeed."""
    show(answer, operation)
    if operation["status"] not in ENDED and not answer.as_json:
        status = str(operation["status"]).replace("_", " ")
        command = f"`loam operations wait {operation['id']}`"
        answer.say(escape(f"Still {status} after {seconds:g} s; it goes on without you: {command}"))
    if operation["status"] != "succeeded":
        sys.exit(NOT_SUCCEEDED)


@contextmanager
def _progress(answer: Answer) -> Iterator[Status | None]:
    if answer.as_json or not ERR.is_terminal:
        yield None
        return
    with ERR.status("") as status:
        yield status


def _current(operation: dict[str, Any]) -> str:
    for step in operation["steps"]:
        if step["status"] == "running":
            return str(step["waiting_for"] or step["title"])
    return str(operation["status"])
