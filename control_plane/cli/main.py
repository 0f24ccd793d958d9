"""The command `loam`: the whole of Loam on this machine, and everything that customers do through the API."""

import click

from control_plane.cli import stack
from control_plane.cli.account import account
from control_plane.cli.backups import backups
from control_plane.cli.keys import keys
from control_plane.cli.operations import operations
from control_plane.cli.operator import operator
from control_plane.cli.plans import plans, subscribe
from control_plane.cli.registry import backup, restore
from control_plane.cli.shown import EXIT_CODES
from control_plane.cli.subscriptions import subscriptions
from control_plane.cli.substrates import substrates
from shared.kernel.product import DISPLAY_NAME, NAME, VERSION


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name=NAME)
def main() -> None:
    """Dedicated, provable memory for AI agents."""


main.help = f"{DISPLAY_NAME}: dedicated, provable memory for AI agents, one server for every tenant."

COMMANDS = (account, plans, subscribe, subscriptions, substrates, keys, operations, backups, operator)

for one in (*stack.COMMANDS, backup, restore, *COMMANDS):
    main.add_command(one)

if __name__ == "__main__":
    main()
