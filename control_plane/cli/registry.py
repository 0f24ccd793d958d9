"""`loam backup` and `loam restore`: the registry with its key ring, in one encrypted file."""

from pathlib import Path

import click

from control_plane.cli.stack import SHOWN, progress, telling
from deploy.local import registry_backup, registry_restore
from deploy.local.registry_backup import Lock
from deploy.local.settings import LocalSettings

FILE = click.Path(path_type=Path)
PASSPHRASE = click.option("--passphrase-file", type=FILE, help="A file with a passphrase on its first line.")


@click.command()
@click.argument("target", metavar="FILE", type=FILE)
@click.option("--recipient", help="An age recipient (age1…): only its identity opens the file.")
@PASSPHRASE
@telling
def backup(target: Path, recipient: str | None, passphrase_file: Path | None) -> None:
    """Save the registry and its key ring into a new encrypted FILE, or into a folder."""
    lock = Lock.read(passphrase_file=passphrase_file, key=recipient)
    with progress() as say:
        say("registry")
        written = registry_backup.save(LocalSettings.load(), target, lock)
    SHOWN.print(f"{written} holds the registry and its key ring. Keep it away from this machine.")


@click.command()
@click.argument("source", metavar="FILE", type=FILE)
@click.option("--identity-file", type=FILE, help="A file with the age identity (AGE-SECRET-KEY-1…).")
@PASSPHRASE
@click.option("--replace", is_flag=True, help="Put it in the place of a registry that has accounts.")
@click.option("--drill", is_flag=True, help="Only try whether it could be restored; nothing is changed.")
@telling
def restore(
    source: Path,
    identity_file: Path | None,
    passphrase_file: Path | None,
    replace: bool,  # noqa: FBT001 - click passes it by name
    drill: bool,  # noqa: FBT001
) -> None:
    """Put a saved registry back. Tenants take its word from then on: keys that it does not know open nothing."""
    identity = _identity(identity_file) if identity_file else None
    lock = Lock.read(passphrase_file=passphrase_file, key=identity)
    settings = LocalSettings.load()
    archive = registry_backup.load(source, lock)
    with progress() as say:
        if drill:
            counts = registry_restore.drill(settings, archive, say)
        else:
            result = registry_restore.restore(settings, archive, say, replace=replace)
    if drill:
        held = ", ".join(f"{count:,} of {table}" for table, count in counts.items())
        SHOWN.print(f"It can be restored. Made {archive.note['made_at']}; it holds {held}.")
        return
    SHOWN.print(f"Restored. Epoch {result.epoch}: {result.substrates:,} policies were signed anew and are pushed.")


def _identity(file: Path) -> str:
    """The key in a file as age-keygen writes it, with its lines of comment."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")
