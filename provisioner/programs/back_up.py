"""Back a substrate up: wake its server, copy its memory into the store, let go of copies that are too many.

The copy streams from the tenant's own server, which alone opens its database; the host encrypts what comes and never
looks into it. A server that runs goes on serving meanwhile: the substrate's lock is held only to start one.
"""

from datetime import timedelta
from typing import Final

from provisioner.backups import retention
from provisioner.backups.envelope import Label
from provisioner.backups.errors import CopyRefused, StoreAway
from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome, TryAgain, Wait
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.places.errors import PlaceGone
from provisioner.programs import backup_keys
from provisioner.programs.start_substrate import start_anew
from provisioner.programs.tools import Tools, substrate_of
from provisioner.tenant_client import TenantAbsent, TenantSilent
from shared.contracts.backups import Reason, State, backup_of
from shared.contracts.operations import Kind
from shared.contracts.tenant_server import COPY_MARGIN_BYTES
from shared.contracts.tenant_spec import TenantSpec
from shared.lifecycle.substrate import Status
from shared.registry import backups, operations
from shared.registry.backups import Backup

SERVED: Final = frozenset({Status.RUNNING, Status.READ_ONLY, Status.SUSPENDED})
"""In these a substrate has a memory that its server can copy."""

START_PAUSE: Final = timedelta(milliseconds=100)

LEAST_TIME: Final = timedelta(minutes=1)
SLOWEST: Final = 8 * 1024 * 1024
"""Bytes a second: what takes longer than this is not copying, whatever it says."""

LONGEST: Final = timedelta(minutes=25)
"""For the largest memory of any plan, at that pace, and for putting it into the store."""


class NothingToBackUp(GiveUp):
    """The substrate has no memory, or no longer."""

    code = "nothing_to_back_up"
    public = "The substrate has no memory that could be backed up now."


class MemoryNotCopied(GiveUp):
    """What its server sends is no memory."""

    code = "memory_not_copied"
    public = "Its server did not hand out a copy of its memory."
    next_action = "Tell support the operation's id; the memory may be damaged."


async def wake_server(turn: Turn, tools: Tools) -> Outcome:
    """A server that answers on its control socket, started if there is none."""
    substrate = await substrate_of(turn, tools)
    if substrate.status not in SERVED:
        raise NothingToBackUp(status=substrate.status)
    try:
        if not await tools.runtime.is_running(substrate.id):
            await start_anew(turn, tools)
    except PlaceGone:
        raise NothingToBackUp(because="no folders") from None
    try:
        await tools.tenant.status(tools.places.folders_of(substrate.spec), substrate.id)
    except TenantAbsent:
        return Wait(START_PAUSE, reason="its server is starting")
    except TenantSilent as silence:
        raise TryAgain("its server does not answer") from silence
    return GoTo("copy_memory")


async def copy_memory(turn: Turn, tools: Tools) -> Outcome:
    """Server → gzip → age → store, then the row that makes it a backup."""
    spec = (await substrate_of(turn, tools)).spec
    key = await backup_keys.ensure(turn, tools)
    label = Label(
        backup=backup_of(turn.operation.id), substrate=spec.substrate, key=key.id, created_at=tools.clock.now()
    )
    most = spec.storage_bytes + COPY_MARGIN_BYTES
    try:
        async with tools.tenant.memory(tools.places.folders_of(spec), most=most, within=time_for(spec)) as pieces:
            kept = await tools.vault.keep(pieces, label, key.recipient, turn.lease.number)
    except TenantAbsent:
        return GoTo("wake_server")
    except TenantSilent as silence:
        raise TryAgain("its server did not hand out a copy of its memory") from silence
    except CopyRefused as refusal:
        raise MemoryNotCopied(because=str(refusal)) from refusal
    except StoreAway as away:
        raise TryAgain("the store of backups does not answer") from away
    backup = Backup(
        id=label.backup,
        substrate=spec.substrate,
        key=key.id,
        reason=Reason(turn.operation.facts.get("reason", Reason.ASKED)),
        state=State.READY,
        store=kept.store,
        object=kept.object,
        bytes=kept.bytes,
        memory_bytes=kept.memory_bytes,
        sha256=kept.sha256,
        created_at=label.created_at,
    )
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await backups.insert(tx, backup)
    return GoTo("thin_out")


async def thin_out(turn: Turn, tools: Tools) -> Outcome:
    """Let go of backups beyond those that are kept, and of objects that a killed worker left without a row."""
    substrate = turn.operation.substrate
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        ready = await backups.list_ready(tx, substrate)
        keeping = retention.kept(ready, lambda backup: backup.created_at)
        leaving = [backup.id for backup in ready if backup not in keeping]
        await backups.update_leaving(tx, substrate, leaving)
    known = {backup.object for backup in keeping}
    try:
        for name in await tools.vault.list_names(substrate):
            if name not in known:
                await tools.vault.remove(name)
    except StoreAway as away:
        raise TryAgain("the store of backups does not answer") from away
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        for backup in leaving:
            await backups.update_gone(tx, backup)
    return Done()


def time_for(spec: TenantSpec) -> timedelta:
    """How long a server may take to hand its memory out."""
    return min(LEAST_TIME + timedelta(seconds=spec.storage_bytes / SLOWEST), LONGEST)


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.BACK_UP,
    steps={"wake_server": wake_server, "copy_memory": copy_memory, "thin_out": thin_out},
    on_give_up=leave_as_it_is,
    patience={"copy_memory": LONGEST, "thin_out": timedelta(minutes=5)},
)
