"""How commands answer: tables for people, JSON for scripts, and errors as two sentences."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

import click
import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from control_plane.cli.connection import Connection, Refused, Unreachable
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.kernel.errors import AppError

P = ParamSpec("P")

OUT: Final = Console(highlight=False, soft_wrap=True)
ERR: Final = Console(stderr=True, highlight=False, soft_wrap=True)

PIPE_WIDTH: Final = 1000
"""In a pipe nothing is cut or wrapped: another program reads it line by line."""

REFUSED: Final = 1
NOT_LOGGED_IN: Final = 3
UNREACHABLE: Final = 4
NOT_SUCCEEDED: Final = 5
INTERRUPTED: Final = 130
"""What shells say of a command that Ctrl-C ended."""
EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not logged in, 4 the API does not answer, "
    "5 the operation did not succeed, 130 interrupted."
)

COMMANDS: Final = {
    "not_logged_in": "Run `loam account login`, or `loam account signup` if you have no account yet.",
    "api_key_presented": "LOAM_TOKEN takes an account token: unset it and run `loam account login`.",
    "login_refused": "Check both; `loam account signup` opens an account.",
    "email_taken": "Run `loam account login`.",
    "email_unconfirmed": "Run `loam account confirm CODE` with the code from the letter, then try again.",
    "unknown_plan": "`loam plans` shows what there is.",
    "trial_taken": "Subscribe without --trial.",
    "already_claimed": "If you do not have it any more: `loam keys rotate` makes a new secret.",
    "unclaimed_expired": "`loam keys rotate` makes a new secret.",
    "key_is_revoked": "`loam keys create` makes another key.",
    "key_limit_reached": "`loam keys revoke` ends a key that is not used any more.",
    "not_found": "Check the id: `loam substrates list` and `loam keys list SUBSTRATE` show what is yours.",
    "operation_under_way": "`loam operations list SUBSTRATE` shows it; wait until it has ended.",
    "substrate_deleted": "`loam subscribe` makes a new one.",
}
"""The next step in this tool's own words, where the API names an endpoint."""

COLORS: Final = {
    "running": "green",
    "succeeded": "green",
    "live": "green",
    "active": "green",
    "provisioning": "yellow",
    "queued": "yellow",
    "unclaimed": "yellow",
    "trialing": "yellow",
    "read_only": "dark_orange",
    "past_due": "dark_orange",
    "failed": "red",
    "revoked": "dim",
    "deleted": "dim",
    "canceled": "dim",
}


class Answer:
    """What a command says, in the form that was asked for."""

    def __init__(self, *, as_json: bool) -> None:
        """`as_json`: for scripts."""
        self.as_json = as_json

    def data(self, found: Any) -> bool:
        """Say it to a script; `False` when a person asked, who is told otherwise."""
        if self.as_json:
            click.echo(json.dumps(found, indent=2))
        return self.as_json

    def say(self, sentence: str) -> None:
        """One line for a person; texts from outside must have been escaped."""
        OUT.print(sentence)

    def aside(self, sentence: str) -> None:
        """A line for a person while the answer is not there yet: on standard error, in a pipe too."""
        if sentence and not self.as_json:
            ERR.print(escape(sentence))

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        """Rows for a person."""
        table = Table(box=None, header_style="dim", pad_edge=False)
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(colored(cell) for cell in row))
        (OUT if OUT.is_terminal else Console(highlight=False, width=PIPE_WIDTH)).print(table)

    def facts(self, found: Mapping[str, Any]) -> None:
        """Names and values for a person."""
        width = max(len(name) for name in found)
        for name, value in found.items():
            OUT.print(f"{name:<{width}}  {colored(value)}")

    def secret(self, secret: str) -> None:
        """The one time that a secret is shown."""
        OUT.print(f"\n  [bold]{escape(secret)}[/]\n")
        OUT.print("Shown this once: keep it now. If it is lost, rotate the key.")


def colored(value: Any) -> str:
    """A cell: a state in its colour, nothing as a dash."""
    if value is None or value == "":
        return "[dim]-[/]"
    text = escape(str(value))
    color = COLORS.get(text)
    return f"[{color}]{text}[/]" if color else text


def command(run: Callable[Concatenate[Connection, Answer, P], None]) -> Callable[P, None]:
    """A command of the customer's: gets the connection and the answer, has `--json`, and never shows a traceback."""

    @click.option("--json", "as_json", is_flag=True, help="For scripts; names are never changed, only added.")
    @wraps(run)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> None:
        answer = Answer(as_json=bool(options.pop("as_json")))
        try:
            run(Connection(LocalSettings.load()), answer, *arguments, **options)
        except Refused as refused:
            _fail(
                answer,
                _in_commands(refused.problem),
                NOT_LOGGED_IN if refused.problem.get("status") == httpx.codes.UNAUTHORIZED else REFUSED,
            )
        except Unreachable as unreachable:
            _fail(answer, unreachable.problem, UNREACHABLE)
        except Trouble as trouble:
            _fail(answer, {"code": "local_trouble", "detail": trouble.sentence, "next_action": trouble.fix}, REFUSED)
        except AppError as error:
            _fail(answer, {"code": error.code, "detail": error.detail, "next_action": error.next_step}, REFUSED)

    wrapped_command: Callable[P, None] = wrapped
    return wrapped_command


def _in_commands(problem: dict[str, Any]) -> dict[str, Any]:
    command_for = COMMANDS.get(str(problem.get("code")))
    return {**problem, "next_action": command_for} if command_for else problem


def _fail(answer: Answer, problem: Mapping[str, Any], code: int) -> None:
    if not answer.data({"error": dict(problem)}):
        ERR.print(f"[bold red]{escape(str(problem.get('detail', '')))}[/]")
        for error in problem.get("errors") or []:
            ERR.print(f"  {escape(str(error.get('key') or ''))}: {escape(str(error.get('message') or ''))}")
        if problem.get("next_action"):
            ERR.print(escape(str(problem["next_action"])))
        if problem.get("reference"):
            ERR.print(f"Reference: {escape(str(problem['reference']))}")
    sys.exit(code)
