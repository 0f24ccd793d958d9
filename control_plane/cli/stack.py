"""`loam up`, `down`, `reset`, `info`, `doctor`: the whole of Loam on this machine."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import wraps
from typing import Any, Final, ParamSpec

import click
from rich.console import Console
from rich.markup import escape

from deploy.local import capacity as local_capacity
from deploy.local import demo, doctor
from deploy.local import stack as local
from deploy.local.settings import LocalSettings
from deploy.local.trouble import Trouble
from shared.kernel.errors import AppError

P = ParamSpec("P")

SHOWN: Final = Console(highlight=False, soft_wrap=True)
PROGRESS: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def telling(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what stops a command into two sentences and a failure, instead of a traceback."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            command(*arguments, **options)
        except Trouble as trouble:
            if trouble.detail:
                PROGRESS.print(escape(trouble.detail), style="dim")
            PROGRESS.print(f"[bold red]{escape(trouble.sentence)}[/]\n{escape(trouble.fix)}")
            sys.exit(1)
        except AppError as error:
            PROGRESS.print(f"[bold red]{escape(error.detail)}[/]\n{escape(error.next_step or '')}")
            sys.exit(1)

    return run


@click.group(name="stack")
def stack() -> None:
    """The whole of Loam on this machine."""


@stack.command()
@click.option("--demo/--no-demo", "wants_demo", default=None, help="Make a demonstration tenant (default: LOAM_DEMO).")
@telling
def up(wants_demo: bool | None) -> None:  # noqa: FBT001 - click passes it by name
    """Start everything, and show a tenant that is ready to use. Again is safe and quick."""
    settings = LocalSettings.load()
    with progress() as say:
        warnings = local.up(settings, say)
    shown = None
    if settings.demo if wants_demo is None else wants_demo:
        with progress() as say:
            shown = demo.show(settings, lambda operation: say(_step_of(operation)))
    for warning in warnings:
        PROGRESS.print(f"[bold yellow]! {escape(warning)}[/]")
    _show_addresses(settings)
    if shown is not None:
        _show_demonstration(shown)


@stack.command()
@telling
def down() -> None:
    """Stop everything that `up` started, tenants too; all data stays."""
    with progress() as say:
        local.down(LocalSettings.load(), say)
    SHOWN.print("Everything is stopped. All data is kept; `make up` goes on with it.")


@stack.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@telling
def reset(yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Stop everything and remove all data: every account, memory and key."""
    settings = LocalSettings.load()
    if not yes:
        click.confirm(f"Remove {settings.root} with every account, memory and key in it?", abort=True)
    with progress() as say:
        local.reset(settings, say)
    SHOWN.print("Everything is removed.")


@stack.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts; names are never changed, only added.")
@telling
def info(as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Where everything is: addresses, CA file, state folder."""
    found = local.info(LocalSettings.load()).as_dict()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        SHOWN.print(f"{name:<17} {escape(value)}")


@stack.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@telling
def check(as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Check this machine, and say how to mend what is wrong."""
    findings = doctor.examine(LocalSettings.load())
    if as_json:
        click.echo(json.dumps({"checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        for finding in findings:
            SHOWN.print(f"{_mark(finding)} {finding.name:<18} {escape(finding.found)}")
            if finding.fix:
                SHOWN.print(f"  {'':<18} [bold]{escape(finding.fix)}[/]")
    if any(finding.verdict is doctor.Verdict.BAD for finding in findings):
        sys.exit(1)


@stack.command(name="capacity")
@click.option("--json", "as_json", is_flag=True, help="For scripts; names are never changed, only added.")
@telling
def show_capacity(as_json: bool) -> None:  # noqa: FBT001 - click passes it by name
    """How full this machine is: what it can hold, and what of it is promised."""
    found = local_capacity.read(LocalSettings.load())
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2))
        return
    SHOWN.print(f"{found.taken.tenants} tenants")
    for room in found.rooms:
        SHOWN.print(f"{room.name:<32} {room.taken:>16,.0f} of {room.limit:,.0f}")


COMMANDS: Final[tuple[click.Command, ...]] = (up, down, reset, info, check, show_capacity)
"""For the command `loam`, which has them at its top level."""


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line that says what is being waited for; on a terminal it spins, in a log each step is a line."""
    if not PROGRESS.is_terminal:
        last = [""]

        def tell(step: str) -> None:
            if step != last[0]:
                last[0] = step
                PROGRESS.print(f"  {escape(step)} …")

        yield tell
        return
    with PROGRESS.status("") as status:
        yield lambda step: status.update(f"{escape(step)} …")


def _step_of(operation: dict[str, Any]) -> str:
    running = [step for step in operation.get("steps", []) if step.get("status") == "running"]
    current = running[0] if running else {}
    title = current.get("title") or operation.get("kind") or "working"
    return f"{operation.get('percent', 0):>3} %  {title}"


def _show_addresses(settings: LocalSettings) -> None:
    found = local.info(settings)
    SHOWN.print(f"\n[bold green]Loam is up.[/]  Tenants run as: {found.runtime}.  State: {escape(found.state_dir)}")
    SHOWN.print(f"  API and its page   {found.api_url}/v1/docs")
    if settings.ca_file.is_file():
        SHOWN.print("\nThis machine's own authority signs its certificates; clients must be told to trust it:")
        SHOWN.print(f"  export NODE_EXTRA_CA_CERTS={escape(found.ca_file)}")
        SHOWN.print(f"  export SSL_CERT_FILE={escape(found.ca_file)}")


def _show_demonstration(shown: demo.Demonstration) -> None:
    SHOWN.print("\n[bold]A demonstration tenant is ready.[/]")
    SHOWN.print(f"  Instance           {shown.instance_url}")
    SHOWN.print(f"  MCP endpoint       {shown.mcp_endpoint}")
    SHOWN.print(f"  Account            {escape(shown.email)} (password in {escape(str(shown.account_file))})")
    if shown.key:
        SHOWN.print(f"  API key            [bold]{shown.key}[/]")
        SHOWN.print("                     Shown this once. Keep it now; a lost key is rotated.")
    else:
        rotate = f"loam keys rotate {shown.substrate} {shown.key_id}"
        SHOWN.print(f"  API key            was shown once; for another: {rotate}")
    SHOWN.print("\nPaste into your MCP client:\n")
    click.echo(shown.mcp_block())


def _mark(finding: doctor.Finding) -> str:
    match finding.verdict:
        case doctor.Verdict.GOOD:
            return "[green]✓[/]"
        case doctor.Verdict.WARNING:
            return "[yellow]![/]"
        case doctor.Verdict.BAD:
            return "[red]✗[/]"


if __name__ == "__main__":
    stack()
