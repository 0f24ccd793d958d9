"""Back a substrate up, list its backups, and restore one."""

from dataclasses import dataclass

from control_plane.actions import owned
from control_plane.actions.once import Once
from control_plane.actions.tools import Tools, acting
from shared.contracts.backups import Reason, State
from shared.contracts.operations import Kind
from shared.kernel.errors import AppError, NotFound
from shared.kernel.ids import BackupId, OperationId, SubstrateId
from shared.lifecycle.substrate import Status
from shared.registry import audit, backups, operations
from shared.registry.account_tokens import Bearer
from shared.registry.backups import Backup
from shared.registry.database import Tx
from shared.registry.operations import Operation
from shared.registry.substrates import Substrate


class NoMemory(AppError):
    """The substrate has no memory that could be backed up or replaced now."""

    code = "no_memory"
    status = 409
    public = "This substrate is {status}, so its memory can be neither backed up nor restored."
    next_action = "Wait until it is running."


SERVED = frozenset({Status.RUNNING, Status.READ_ONLY, Status.SUSPENDED})


@dataclass(frozen=True, slots=True)
class _Work:
    kind: Kind
    words: str
    facts: dict[str, str]


async def list_backups(tools: Tools, caller: Bearer, substrate: SubstrateId) -> list[Backup]:
    """Those that can be restored, the newest first."""
    async with tools.database.transaction() as tx:
        await owned.find_substrate(tx, caller, substrate)
        return await backups.list_ready(tx, substrate)


async def create_backup(tools: Tools, caller: Bearer, substrate: SubstrateId, once: Once[Operation]) -> Operation:
    """Begin to back it up.

    Raises:
        NoMemory: there is nothing to back up.
        OperationUnderWay: another operation must end first.
    """
    work = _Work(Kind.BACK_UP, "backup.asked", {"reason": Reason.ASKED.value})
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        row = await owned.claim_substrate(tx, caller, substrate)
        operation = await _begin(tools, tx, caller, row, work)
        await once.keep(tx, operation, tools.clock.now())
    tools.doorbell.advance(operation.id)
    return operation


async def restore_backup(
    tools: Tools, caller: Bearer, substrate: SubstrateId, backup: BackupId, once: Once[Operation]
) -> Operation:
    """Begin to put the memory back as it was then. What was saved since is gone afterwards.

    Raises:
        NotFound: the substrate has no such backup.
        NoMemory: there is no memory to replace.
        OperationUnderWay: another operation must end first.
    """
    work = _Work(Kind.RESTORE, "restore.asked", {"backup": backup})
    async with tools.database.transaction() as tx:
        await once.begin(tx)
        row = await owned.claim_substrate(tx, caller, substrate)
        found = await backups.find(tx, substrate, backup)
        if found is None or found.state is not State.READY:
            raise NotFound(backup=backup, substrate=substrate)
        operation = await _begin(tools, tx, caller, row, work)
        await once.keep(tx, operation, tools.clock.now())
    tools.doorbell.advance(operation.id)
    return operation


async def _begin(tools: Tools, tx: Tx, caller: Bearer, row: Substrate, work: _Work) -> Operation:
    if row.status not in SERVED:
        raise NoMemory(shown={"status": row.status.value}, substrate=row.id)
    now = tools.clock.now()
    identifier = OperationId(tools.ids.new("op"))
    await operations.insert(tx, identifier, work.kind, caller.account, row.id, now, facts=work.facts)
    await audit.insert(
        tx, caller.account, acting(caller), work.words, now, substrate=row.id, operation=identifier, **work.facts
    )
    made = await operations.find(tx, identifier)
    if made is None:
        raise LookupError(identifier)
    return made
