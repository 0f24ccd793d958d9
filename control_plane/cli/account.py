"""`loam account`: signing up, logging in, and who one is."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from control_plane.cli.connection import Connection
from control_plane.cli.shown import Answer, command

Command = TypeVar("Command", bound=Callable[..., Any])


def _password(*, twice: bool) -> Callable[[Command], Command]:
    """The option `--password`, asked for where it is not given; `-` reads it from standard input."""

    def read(_context: click.Context, _option: click.Parameter, value: str) -> str:
        return sys.stdin.readline().rstrip("\n") if value == "-" else value

    return click.option(
        "--password",
        prompt=True,
        hide_input=True,
        confirmation_prompt=twice,
        callback=read,
        help="Asked for if left out, so that it stays out of the shell's history; - reads a line of standard input.",
    )


@click.group()
def account() -> None:
    """Sign up, log in, log out."""


@account.command()
@click.option("--email", prompt=True)
@_password(twice=True)
@command
def signup(connection: Connection, answer: Answer, email: str, password: str) -> None:
    """Open an account, and stay logged in."""
    found = connection.call("POST", "/v1/signup", body={"email": email, "password": password}).json()
    kept = connection.keep(found["token"])
    if not answer.data({"account": found["account"], "token_file": str(kept)}):
        answer.say(f"Welcome. You are logged in; the token is in {kept}.")


@account.command()
@click.option("--email", prompt=True)
@_password(twice=False)
@command
def login(connection: Connection, answer: Answer, email: str, password: str) -> None:
    """Get a token and keep it for the next commands."""
    found = connection.call("POST", "/v1/login", body={"email": email, "password": password}).json()
    kept = connection.keep(found["token"])
    if not answer.data({"token_file": str(kept)}):
        answer.say(f"You are logged in; the token is in {kept}.")


@account.command()
@command
def logout(connection: Connection, answer: Answer) -> None:
    """End the token that is kept."""
    connection.call("POST", "/v1/logout")
    connection.forget()
    if not answer.data({"logged_out": True}):
        answer.say("You are logged out.")


@account.command()
@click.argument("code")
@command
def confirm(connection: Connection, answer: Answer, code: str) -> None:
    """Confirm your mail address with the code from the letter."""
    found = connection.call("POST", "/v1/confirmations", body={"code": code}).json()
    if not answer.data(found):
        answer.say("Your mail address is confirmed.")


@account.command()
@command
def whoami(connection: Connection, answer: Answer) -> None:
    """Whom the token speaks for."""
    found = connection.call("GET", "/v1/account").json()
    if not answer.data(found):
        answer.facts({"account": found["account"]["id"], "email": found["account"]["email"], "role": found["role"]})
