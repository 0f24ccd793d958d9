"""Putting a saved registry back: stop who writes, restore, begin a new epoch, start again. Or only trying it.

The new epoch is later than any that a tenant of this machine was ever told, so that a registry which has forgotten
keys, or believes revoked ones to be live, is believed by every tenant from then on, and nothing older is.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import jwt
import psycopg
from psycopg import sql

from deploy.local import postgres, registry_backup, stack
from deploy.local.registry_backup import Archive
from deploy.local.settings import LocalSettings
from deploy.local.stack import Say
from deploy.local.supervisor import Supervisor
from deploy.local.trouble import Trouble
from shared.contracts.signed_policy import MAX_BYTES
from shared.kernel import secret_files
from shared.kernel.clock import SystemClock
from shared.registry import migrations
from shared.registry.database import Database
from shared.registry.epochs import begin_epoch
from shared.registry.publishing import Addresses, Signer

WRITERS: Final = ("control-plane", "worker")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back."""

    epoch: int
    substrates: int


def restore(settings: LocalSettings, archive: Archive, say: Say, *, replace: bool) -> Restored:
    """Put a saved registry and its key ring in place, and start everything on it.

    Raises:
        Trouble: there is a registry with accounts already and `replace` was not said, or something does not come up.
    """
    keeper = Supervisor(settings)
    if _holds_accounts(settings, keeper, say) and not replace:
        raise Trouble("There is a registry with accounts already.", fix="Say --replace to have the saved one instead.")
    say("stopping what writes")
    keeper.end(*WRITERS)
    seen = highest_epoch(settings)
    registry_backup.write_ring(settings, archive)
    say("registry")
    with _emptied(settings) as database:
        registry_backup.pour(settings, archive, database)
        migrations.apply(postgres.url(settings, database))
        result = asyncio.run(_new_epoch(settings, database, seen))
    stack.up(settings, say)
    return result


def drill(settings: LocalSettings, archive: Archive, say: Say) -> dict[str, int]:
    """Restore into a database of its own, count, and remove it again; nothing else is touched.

    Raises:
        Trouble: it does not work.
    """
    name = f"drill_{secrets.token_hex(4)}"
    say("registry")
    _make(settings, name)
    try:
        registry_backup.pour(settings, archive, name)
        migrations.apply(postgres.url(settings, name))
        with psycopg.connect(postgres.url(settings, name)) as connection:
            tables = ("account", "substrate", "api_key", "policy", "operation", "backup")
            counts = {table: _count(connection, table) for table in tables}
    finally:
        _drop(settings, name)
    return counts


def highest_epoch(settings: LocalSettings) -> int:
    """The latest epoch that the registry here, or any tenant's policy on this machine, speaks of."""
    found = [_epoch_of(file) for file in settings.state.tenants.glob("*/host/policy")]
    try:
        with psycopg.connect(postgres.url(settings), connect_timeout=5) as connection:
            row = connection.execute("SELECT epoch FROM registry").fetchone()
            found.append(int(row[0]) if row else 0)
    except psycopg.Error:
        found.append(0)
    return max(found)


def _epoch_of(policy: Path) -> int:
    """Read without a look at the signature: an epoch that was made up only makes ours later."""
    try:
        with policy.open("rb") as file:
            claims: dict[str, Any] = jwt.decode(file.read(MAX_BYTES), options={"verify_signature": False})
        return int(claims["epoch"])
    except (OSError, jwt.PyJWTError, KeyError, ValueError):
        return 0


def _holds_accounts(settings: LocalSettings, keeper: Supervisor, say: Say) -> bool:
    """Whether a registry with anybody in it is there. Everything runs afterwards, on an empty one if there was none."""
    if not (keeper.is_running() and postgres.answers(settings)):
        stack.up(settings, say)
    try:
        with psycopg.connect(postgres.url(settings), connect_timeout=5) as connection:
            return _count(connection, "account") > 0
    except psycopg.Error:
        return False


async def _new_epoch(settings: LocalSettings, database: str, seen: int) -> Restored:
    ring = settings.state.secrets
    signer = Signer(
        signing=secret_files.load(ring, secret_files.SIGNING)[0],
        probe=secret_files.load(ring, secret_files.PROBE)[0],
        addresses=Addresses(settings.domain, settings.https_port),
    )
    registry = await Database.connect(postgres.url(settings, database), most=1)
    try:
        async with registry.transaction() as tx:
            epoch = await begin_epoch(tx, signer, SystemClock().now(), seen=seen)
            count = cast("int", await tx.value("SELECT count(*) FROM policy"))
    finally:
        await registry.close()
    return Restored(epoch=epoch, substrates=count)


@contextmanager
def _emptied(settings: LocalSettings) -> Iterator[str]:
    """A new database that takes the registry's name when all has gone well; until then the old one stays."""
    fresh = f"restoring_{secrets.token_hex(4)}"
    _make(settings, fresh)
    try:
        yield fresh
    except BaseException:
        _drop(settings, fresh)
        raise
    with _administering(settings) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_name(postgres.DATABASE)))
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(_name(fresh), _name(postgres.DATABASE)))


def _make(settings: LocalSettings, name: str) -> None:
    with _administering(settings) as connection:
        words = sql.SQL("CREATE DATABASE {} OWNER {}").format(_name(name), _name(postgres.ROLE))
        connection.execute(words)


def _drop(settings: LocalSettings, name: str) -> None:
    with _administering(settings) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_name(name)))


def _administering(settings: LocalSettings) -> "psycopg.Connection[tuple[Any, ...]]":
    return psycopg.connect(postgres.administration(settings), autocommit=True, connect_timeout=5)


def _name(text: str) -> sql.Identifier:
    return sql.Identifier(text)


def _count(connection: "psycopg.Connection[tuple[Any, ...]]", table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(_name(table))).fetchone()
    return int(row[0]) if row else 0
