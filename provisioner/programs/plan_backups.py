"""Backups on their schedule, and the removal of those that are not kept any longer."""

import zlib
from datetime import datetime, timedelta

from provisioner.backups.errors import StoreAway
from provisioner.programs.tools import Tools
from shared.contracts.backups import Reason
from shared.contracts.operations import Kind
from shared.kernel.ids import Ids, OperationId, SubstrateId
from shared.kernel.logs import logger
from shared.registry import backups, operations, substrates
from shared.registry.operations import OperationUnderWay

log = logger(__name__)

AT_A_TIME = 50


def next_backup(substrate: SubstrateId, now: datetime, every: timedelta) -> datetime:
    """The next moment that is this substrate's own: spread over the interval, the same one in each."""
    share = zlib.crc32(substrate.encode()) / 2**32
    seconds = every.total_seconds()
    begun = now.timestamp() // seconds * seconds
    planned = datetime.fromtimestamp(begun + share * seconds, tz=now.tzinfo)
    return planned if planned > now else planned + every


async def plan_backup(substrate: SubstrateId, tools: Tools, ids: Ids, every: timedelta) -> None:
    """Begin the backup that is due, and note when the next one is. One that was never planned is only planned."""
    now = tools.clock.now()
    try:
        async with tools.database.transaction() as tx:
            row = await substrates.claim(tx, substrate)
            due_at = await backups.find_due_at(tx, substrate)
            if due_at is not None and due_at > now:
                return
            await backups.update_due_at(tx, substrate, next_backup(substrate, now, every))
            if due_at is not None:
                operation = OperationId(ids.new("op"))
                facts = {"reason": Reason.SCHEDULE.value}
                await operations.insert(tx, operation, Kind.BACK_UP, row.account, substrate, now, facts=facts)
    except OperationUnderWay:
        log.info("backup waits for another operation", substrate=substrate)


async def let_go(tools: Tools) -> None:
    """Remove objects of backups that nobody may use any more, such as those of a substrate that was destroyed."""
    async with tools.database.transaction() as tx:
        leaving = await backups.list_leaving(tx, AT_A_TIME)
    for backup in leaving:
        try:
            await tools.vault.remove(backup.object)
        except StoreAway as away:
            log.warning("the store of backups does not answer", reason=str(away))
            return
        async with tools.database.transaction() as tx:
            await backups.update_gone(tx, backup.id)
