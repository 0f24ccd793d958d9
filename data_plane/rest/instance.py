"""The instance over REST: who a key is, what is used, the API's description, and whether the server lives."""

import msgspec
from litestar import MediaType, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from data_plane.actions.memory import Memory
from data_plane.actions.usage import UsageView, show_usage
from data_plane.actions.whoami import WhoamiView, whoami
from data_plane.edge.errors import RegistrationRefused, UsesApiKeys
from data_plane.edge.needs import NEEDS, Needs
from data_plane.policy.caller import Caller
from data_plane.rest.refusals import REFUSALS


class Health(msgspec.Struct, kw_only=True):
    """A server that answers is alive; one that is ready can also read its memory."""

    status: str


@get("/whoami", operation_id="show_whoami", responses=REFUSALS, opt={NEEDS: Needs.KEY_OR_PROBE}, sync_to_thread=False)
def show_whoami(caller: NamedDependency[Caller]) -> WhoamiView:
    """The key that asks, and the instance that answers."""
    return whoami(caller)


@get("/usage", operation_id="show_usage", responses=REFUSALS, opt={NEEDS: Needs.KEY})
async def usage(memory: NamedDependency[Memory], caller: NamedDependency[Caller]) -> UsageView:
    """What counts against the plan's limits, and how near they are."""
    return await show_usage(memory, caller)


@get("/openapi.json", opt={NEEDS: Needs.KEY}, include_in_schema=False, media_type=MediaType.JSON)
async def openapi(openapi_document: NamedDependency[bytes]) -> Response[bytes]:
    """This API's description: OpenAPI 3.1."""
    return Response(openapi_document, media_type=MediaType.JSON)


@get("/healthz", opt={NEEDS: Needs.NOTHING}, include_in_schema=False, sync_to_thread=False)
def healthz() -> Health:
    """The server answers."""
    return Health(status="ok")


@get("/readyz", opt={NEEDS: Needs.NOTHING}, include_in_schema=False)
async def readyz(memory: NamedDependency[Memory]) -> Health:
    """The server answers and reads its memory."""
    await memory.readers.read(lambda tx: tx.execute("SELECT 1").get)
    return Health(status="ready")


@get("/.well-known/{path:path}", opt={NEEDS: Needs.NOTHING}, include_in_schema=False, sync_to_thread=False)
def oauth_metadata(path: FromPath[str]) -> None:
    """Clients look for OAuth here and print what they get."""
    del path
    raise UsesApiKeys


@post("/register", opt={NEEDS: Needs.NOTHING}, include_in_schema=False, sync_to_thread=False)
def oauth_register() -> None:
    """Clients try to register themselves here and print what they get."""
    raise RegistrationRefused


router = Router("/v1", route_handlers=[show_whoami, usage, openapi], tags=["instance"])
open_routes = (healthz, readyz, oauth_metadata, oauth_register)
