"""Backups of a substrate's memory: made on a schedule and on request, kept encrypted, restored whole."""

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane.actions.back_up import create_backup as create_action
from control_plane.actions.back_up import list_backups as list_action
from control_plane.actions.back_up import restore_backup as restore_action
from control_plane.actions.tools import Tools
from control_plane.api import names
from control_plane.api.operations import OperationAnswer, OperationView
from control_plane.api.pages import Cursor, Limit, page
from control_plane.api.tickets import Ticket
from shared.contracts.backups import Reason
from shared.kernel.clock import iso
from shared.registry.account_tokens import Bearer
from shared.registry.backups import Backup
from shared.registry.operations import Operation


class BackupView(msgspec.Struct, frozen=True, kw_only=True):
    """A copy of the memory at one moment."""

    id: str
    created_at: str
    reason: Reason
    bytes: int
    """As it is kept: compressed and encrypted."""
    memory_bytes: int
    """As it is restored."""
    sha256: str
    """Of what is kept."""

    @classmethod
    def of(cls, backup: Backup) -> "BackupView":
        """As it is shown."""
        return cls(
            id=backup.id,
            created_at=iso(backup.created_at),
            reason=backup.reason,
            bytes=backup.bytes,
            memory_bytes=backup.memory_bytes,
            sha256=backup.sha256,
        )


class BackupsView(msgspec.Struct, frozen=True):
    """A page of backups, the newest first."""

    backups: list[BackupView]
    next_cursor: str | None


def _shown(operation: Operation) -> OperationAnswer:
    return OperationAnswer(OperationView.of(operation))


@get(
    "/v1/substrates/{substrate_id:str}/backups",
    operation_id="list_backups",
    tags=["Backups"],
    summary="A substrate's backups",
)
async def list_backups(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> BackupsView:
    """Those that can be restored, the newest first."""
    found = page(await list_action(tools, caller, names.substrate(substrate_id)), lambda one: one.id, cursor, limit)
    return BackupsView([BackupView.of(one) for one in found.items], found.next_cursor)


@post(
    "/v1/substrates/{substrate_id:str}/backups",
    operation_id="create_backup",
    status_code=202,
    tags=["Backups"],
    summary="Back a substrate up",
)
async def create_backup(
    substrate_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> OperationAnswer:
    """Copy its memory as it is now, while it goes on serving."""
    once = ticket.answering(202, _shown)
    return _shown(await create_action(tools, caller, names.substrate(substrate_id), once))


@post(
    "/v1/substrates/{substrate_id:str}/backups/{backup_id:str}/restore",
    operation_id="restore_backup",
    status_code=202,
    tags=["Backups"],
    summary="Restore a backup",
)
async def restore_backup(
    substrate_id: FromPath[str],
    backup_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    ticket: NamedDependency[Ticket],
) -> OperationAnswer:
    """Put its memory back as it was then; what was saved since is gone. Address, keys and plan stay as they are.

    If its server does not come up on it, the memory that was there before is put back.
    """
    once = ticket.answering(202, _shown)
    substrate, backup = names.substrate(substrate_id), names.backup(backup_id)
    return _shown(await restore_action(tools, caller, substrate, backup, once))


router = Router("/", route_handlers=[list_backups, create_backup, restore_backup])
