"""Stop what a start that has failed or was canceled leaves running. Its data stays: a retry finds it.

No operation: canceling one cannot begin another. The sweep asks for it within a second of the cancellation, `watch` for
what the sweep cannot know of, such as a container whose creation the engine finishes after its caller has died.
"""

from provisioner.programs.tools import Tools, alone_with
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger
from shared.lifecycle.substrate import Status
from shared.registry import substrates
from shared.registry.substrates import Observed

log = logger(__name__)


async def halt_server(substrate: SubstrateId, tools: Tools) -> None:
    """Close its address and remove its server, unless it has been retried or deleted meanwhile.

    A late step of the start has either acted before we get the lock, or has lost its lease and acts no more.
    """
    async with tools.database.transaction() as tx:
        spec = (await substrates.get(tx, substrate)).spec
    async with alone_with(spec, tools):
        async with tools.database.transaction() as tx:
            if (await substrates.get(tx, substrate)).status is not Status.FAILED:
                return
        await tools.places.close_edge(spec)
        await tools.runtime.ensure_absent(substrate)
        async with tools.database.transaction() as tx:
            if (await substrates.claim(tx, substrate)).status is Status.FAILED:
                await substrates.update_observed(tx, substrate, Observed.ABSENT, spec.generation)
    log.info("the server of a failed start was removed", substrate=substrate)
