"""Asked by the provisioner before the server is stopped: let nobody in any more, finish with who is in."""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from data_plane.draining import Draining
from shared.contracts.tenant_server import Drained, DrainOrder


@post("/drain", operation_id="drain", status_code=200)
async def drain(data: JSONBody[DrainOrder], draining: NamedDependency[Draining]) -> Drained:
    """Close the edge, unless it was used too lately. Answered when nothing is under way any more."""
    return await draining.drain(data)
