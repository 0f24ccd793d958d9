"""Restore a backup: fetch and check it, put its memory in place, see that it serves; else go back to what was there.

The backup is opened by the host, which holds the key, into a folder that only the host can write; its content is read
by nobody but the tenant's own server. The server goes on serving until the memory is ready to be exchanged. The
previous memory is kept until the new one has answered at its address and was seen to be whole.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from provisioner.backups.errors import BackupRefused, StoreAway
from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome, TryAgain, Wait
from provisioner.engine.program import Program, Turn, leave_as_it_is
from provisioner.gateway_probe import Readiness
from provisioner.places.errors import PlaceGone
from provisioner.programs import backup_keys, carrying
from provisioner.programs.back_up import SERVED
from provisioner.programs.start_substrate import WORKER, probe, start_anew
from provisioner.programs.tools import Tools, note_observed, substrate_of
from provisioner.tenant_client import TenantSilent
from shared.contracts.backups import State
from shared.contracts.operations import Kind
from shared.kernel.ids import BackupId
from shared.registry import audit, backups, operations, policies
from shared.registry.backups import Backup
from shared.registry.substrates import Observed, Substrate

MEMORY: Final = "memory.db"
"""The memory's file in the tenant's data folder."""

TRIAL: Final = timedelta(seconds=60)
"""How long a server on the restored memory may take to answer, before the previous one is put back."""

PAUSE: Final = timedelta(milliseconds=100)


class BackupNotUsable(GiveUp):
    """The backup is not there any more, was changed, or cannot be opened. Nothing was changed."""

    code = "backup_not_usable"
    public = "The backup could not be opened, so nothing was changed."
    next_action = "Restore another backup; if all fail, tell support the operation's id."


class RestoreTakenBack(GiveUp):
    """The server did not come up on the restored memory; it runs on the previous one again."""

    code = "restore_taken_back"
    public = "The server did not come up on the restored memory, so the memory that was there before is back in place."
    next_action = "Restore another backup, or tell support the operation's id."


async def fetch_backup(turn: Turn, tools: Tools) -> Outcome:
    """The backup's memory, whole and checked, in a folder beside the one in use."""
    substrate = await substrate_of(turn, tools)
    spec = substrate.spec
    if substrate.status not in SERVED:
        raise BackupNotUsable(because=f"the substrate is {substrate.status}")
    if await tools.places.memory_waits_for(spec) == turn.operation.id:
        return GoTo("put_in_place")
    try:
        backup = await _backup_of(turn, tools)
        identity = await backup_keys.identity_of(substrate.id, tools)
        folder = await _fresh_folder(turn, tools)
        await tools.vault.open(backup, identity, folder / MEMORY, turn.lease.number)
    except BackupRefused as refusal:
        raise BackupNotUsable(because=str(refusal)) from refusal
    except StoreAway as away:
        raise TryAgain("the store of backups does not answer") from away
    except PlaceGone:
        raise BackupNotUsable(because="the substrate has no folders here") from None
    async with tools.places.locked(spec.substrate):
        await substrate_of(turn, tools)
        await tools.places.hand_over_memory(spec, turn.operation.id)
    return GoTo("put_in_place")


async def put_in_place(turn: Turn, tools: Tools) -> Outcome:
    """Stop the server, exchange the memories, start it again."""
    await _exchange(turn, tools, new=True)
    return GoTo("wait_until_ready")


async def wait_until_ready(turn: Turn, tools: Tools) -> Outcome:
    """Until it answers at its address and its memory is whole; when that takes too long, back to the previous one."""
    substrate = await substrate_of(turn, tools)
    on_trial = await tools.places.is_memory_exchanged(substrate.spec)
    trouble = await _trouble(substrate, tools)
    if trouble is None and on_trial:
        return GoTo("drop_previous")
    if trouble is None:
        async with tools.places.locked(substrate.id):
            await substrate_of(turn, tools)
            await tools.places.drop_other_memory(substrate.spec)
        raise RestoreTakenBack
    if on_trial and tools.clock.now() - await _trial_began(turn, tools) >= TRIAL:
        await _exchange(turn, tools, new=False)
    elif not await tools.runtime.is_running(substrate.id):
        await start_anew(turn, tools)
    return Wait(PAUSE, reason=trouble)


async def drop_previous(turn: Turn, tools: Tools) -> Outcome:
    """The restore is over: what was there before goes, and the restored memory has its limits."""
    async with tools.places.locked(turn.operation.substrate):
        substrate = await substrate_of(turn, tools)
        await tools.places.drop_other_memory(substrate.spec)
        await tools.runtime.apply_limits(tools.launch(substrate.spec))
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await policies.update_push_due(tx, substrate.id, now)
        await audit.insert(
            tx, substrate.account, WORKER, "substrate_restored", now, substrate=substrate.id, **turn.operation.facts
        )
    return Done()


async def _backup_of(turn: Turn, tools: Tools) -> Backup:
    wanted = BackupId(turn.operation.facts["backup"])
    async with tools.database.transaction() as tx:
        found = await backups.find(tx, turn.operation.substrate, wanted)
    if found is None or found.state is not State.READY:
        raise BackupRefused("there is no such backup any more")
    return found


async def _fresh_folder(turn: Turn, tools: Tools) -> Path:
    async with tools.places.locked(turn.operation.substrate):
        spec = (await substrate_of(turn, tools)).spec
        if await tools.places.is_memory_exchanged(spec):
            # An earlier restore ended before its memory was confirmed: what was there before it counts.
            await tools.runtime.ensure_absent(spec.substrate)
        return await tools.places.fresh_memory(spec)


async def _exchange(turn: Turn, tools: Tools, *, new: bool) -> None:
    async with tools.places.locked(turn.operation.substrate):
        substrate = await substrate_of(turn, tools)
        await note_observed(turn, tools, Observed.UNKNOWN, substrate.generation)
        await tools.runtime.ensure_absent(substrate.id)
        await tools.places.exchange_memory(substrate.spec, new=new)
    await start_anew(turn, tools)


async def _trouble(substrate: Substrate, tools: Tools) -> str | None:
    """What keeps it from serving; `None` when it serves."""
    stored = await carrying.newest(substrate.id, tools)
    probed = await probe(substrate, stored, tools)
    if probed.readiness is Readiness.REFUSED:
        await carrying.renew(substrate.spec, stored, tools)
    if probed.readiness is not Readiness.READY:
        return probed.reason
    try:
        examined = await tools.tenant.examine(tools.places.folders_of(substrate.spec))
    except TenantSilent:
        return "its server does not say whether its memory is whole"
    return None if examined.whole else "the memory is damaged"


async def _trial_began(turn: Turn, tools: Tools) -> datetime:
    async with tools.database.transaction() as tx:
        found = await operations.find(tx, turn.operation.id)
    if found is None:
        raise LookupError(turn.operation.id)
    return next(step.started_at for step in found.steps if step.name == "wait_until_ready")


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.RESTORE,
    steps={
        "fetch_backup": fetch_backup,
        "put_in_place": put_in_place,
        "wait_until_ready": wait_until_ready,
        "drop_previous": drop_previous,
    },
    on_give_up=leave_as_it_is,
    patience={"fetch_backup": timedelta(minutes=25)},
)
