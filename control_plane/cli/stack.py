"""`loam up`, `down`, `reset`, `info`, `doctor`: the whole of Loam on this machine."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec

import click
from rich.console import Console
from rich.markup import escape

from deploy.local import capacity as local_capacity
from deploy.local import demo, doctor, log_files
from deploy.local import stack as local
from deploy.local.settings import LocalSettings
from deploy.local.supervisor import Supervisor
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
        except KeyboardInterrupt:
            PROGRESS.print("Interrupted. Nothing is lost: the same command goes on from here.")
            sys.exit(130)
        except AppError as error:
            PROGRESS.print(f"[bold red]{escape(error.detail)}[/]\n{escape(error.next_step or '')}")
            sys.exit(1)

    return run


@click.group(name="stack")
def stack() -> None:
    """The whole of Loam on this machine."""


@stack.command()
@click.option("--demo/--no-demo", "wants_demo", default=None, help="Make a demonstration tenant (default: LOAM_DEMO).")
@click.option("--new-demo-key", is_flag=True, help="Replace the demonstration's API key, and show the new one once.")
@telling
def up(wants_demo: bool | None, new_demo_key: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Start everything, and show a tenant that is ready to use. Again is safe and quick."""
    settings = LocalSettings.load()
    with progress() as say:
        warnings = local.up(settings, say)
    shown = None
    if new_demo_key or (settings.demo if wants_demo is None else wants_demo):
        with progress() as say:
            shown = demo.show(settings, lambda operation: say(_step_of(operation)), new_key=new_demo_key)
    for warning in warnings:
        PROGRESS.print(f"[bold yellow]! {escape(warning)}[/]")
    _show_addresses(settings)
    if shown is not None:
        _show_demonstration(shown)


@stack.command()
@telling
def down() -> None:
    """Stop everything that `up` started, tenants too; all data stays."""
    settings = LocalSettings.load()
    with progress() as say:
        ended = local.down(settings, say)
    if not settings.root.exists():
        SHOWN.print(f"Nothing to stop: there is no state folder {escape(str(settings.root))}.")
    elif not ended:
        SHOWN.print("Nothing was running. All data is kept; `make up` goes on with it.")
    else:
        SHOWN.print("Everything is stopped. All data is kept; `make up` goes on with it.")


@stack.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@telling
def reset(yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Stop everything and remove all data: every account, memory and key."""
    settings = LocalSettings.load()
    if not settings.root.exists():
        SHOWN.print(f"Nothing to remove: there is no state folder {escape(str(settings.root))}.")
        return
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
    settings = LocalSettings.load()
    found = local.info(settings).as_dict()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    runs = Supervisor(settings).is_running()
    SHOWN.print(f"{'runs':<17} {'yes' if runs else 'no; `make up` starts it'}")
    absent = {
        name for name in ("ca_file", "ca_bundle", "staff_token_file", "state_dir") if not Path(found[name]).exists()
    }
    for name, value in found.items():
        if name not in {"dashboard_url", *absent}:
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


@stack.command()
@click.argument("name", metavar="PROGRAM|SUBSTRATE")
@click.option("-n", "--lines", default=100, show_default=True, help="How many of the last lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is written.")
@telling
def logs(name: str, lines: int, follow: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show what a program, or a tenant's server, has written."""

    def write(part: bytes) -> None:
        click.echo(part, nl=False)

    with suppress(KeyboardInterrupt):  # how a person stops following
        log_files.show(LocalSettings.load(), name, write, lines=lines, follow=follow)


COMMANDS: Final[tuple[click.Command, ...]] = (up, down, reset, info, check, show_capacity, logs)
"""For the command `loam`, which has them at its top level."""


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A line that says what is being waited for; on a terminal it spins, in a log each step is a line."""
    if not PROGRESS.is_terminal:
        began = time.monotonic()
        last = [""]

        def tell(step: str) -> None:
            if step != last[0]:
                last[0] = step
                PROGRESS.print(f"  {time.monotonic() - began:5.1f} s  {escape(step)} …")

        yield tell
        if last[0]:
            PROGRESS.print(f"  {time.monotonic() - began:5.1f} s  done")
        return
    with PROGRESS.status("") as status:
        yield lambda step: status.update(f"{escape(step)} …")


def _step_of(operation: dict[str, Any]) -> str:
    running = [step for step in operation.get("steps", []) if step.get("status") == "running"]
    current = running[0] if running else {}
    words = {"succeeded": "Ready", "failed": "Failed", "canceled": "Canceled"}
    title = current.get("title") or words.get(str(operation.get("status")), "Waiting for a worker")
    return f"{operation.get('percent', 0):>3} %  {title}"


def _show_addresses(settings: LocalSettings) -> None:
    found = local.info(settings)
    SHOWN.print(f"\n[bold green]Loam is up.[/]  Tenants run as: {found.runtime}.  State: {escape(found.state_dir)}")
    SHOWN.print(f"  API and its page   {found.api_url}/v1/docs")
    if settings.ca_file.is_file():
        SHOWN.print("\nThis machine's own authority signs its certificates; clients must be told to trust it:")
        SHOWN.print(f"  export NODE_EXTRA_CA_CERTS={escape(found.ca_file)}")
        SHOWN.print(f"  export SSL_CERT_FILE={escape(found.ca_bundle)}")


def _show_demonstration(shown: demo.Demonstration) -> None:
    SHOWN.print("\n[bold]A demonstration tenant is ready.[/]")
    SHOWN.print(f"  Instance           {shown.instance_url}")
    SHOWN.print(f"  MCP endpoint       {shown.mcp_endpoint}")
    SHOWN.print(f"  Account            {escape(shown.email)} (password in {escape(str(shown.account_file))})")
    if shown.key:
        SHOWN.print(f"  API key            [bold]{shown.key}[/]")
        SHOWN.print(f"                     Shown this once; if it is lost: {escape(_itself())} up --new-demo-key")
    else:
        SHOWN.print(f"  API key            was shown once; for another: {escape(_itself())} up --new-demo-key")
    SHOWN.print("\nPaste into your MCP client:\n")
    click.echo(shown.mcp_block())


def _itself() -> str:
    """This command as a shell finds it from here."""
    path = Path(sys.executable).parent / "loam"
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


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
