"""Whether the memory is whole: SQLite's own check of every page, and what it counts."""

from data_plane.actions.memory import Memory
from data_plane.store import atom_table, tally_table
from data_plane.store.database import Tx
from shared.contracts.tenant_server import Examined


async def examine_memory(memory: Memory) -> Examined:
    """Check and count within one reading transaction."""

    def work(tx: Tx) -> Examined:
        problems = [str(row[0]) for row in tx.execute("PRAGMA quick_check(1)")]
        return Examined(
            whole=problems == ["ok"],
            live_atoms=tally_table.get_tally(tx, tally_table.LIVE_ATOMS),
            versions=atom_table.count_versions(tx),
            history=atom_table.digest_of_history(tx),
        )

    return await memory.readers.read(work)
