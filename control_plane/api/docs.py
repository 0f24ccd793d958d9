"""The API's description: the OpenAPI document, and a page made from it.

The page is ours: the usual renderers load scripts from other hosts, and a page about secrets should load none.
"""

from typing import Any, Final

from litestar import MediaType, Request, Response, Router, get
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.response import Redirect

from control_plane.api import docs_page
from control_plane.api.session import PUBLIC
from shared.kernel.product import DISPLAY_NAME, VERSION

PAGE_POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

SCHEME: Final = "accountToken"

DESCRIPTION: Final = (
    "Accounts, plans, subscriptions, substrates and keys. Every request carries an account token as "
    "“Authorization: Bearer lat_…”, except those marked public. Errors are problem+json (RFC 9457) with a “code” that "
    "never changes and a “next_action”. What takes longer than a second answers 202 with an operation to follow."
)


class PagePlugin(OpenAPIRenderPlugin):
    """Renders the document as a page without any script."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        tools = request.app.state.tools
        return docs_page.render(openapi_schema, tools.api_url, ca_file=tools.ca_file).encode()


@get("/", include_in_schema=False, public=True)
async def find_docs() -> Redirect:
    """Whoever comes without an address is shown the description."""
    return Redirect("/v1/docs")


@get("/v1/docs.css", include_in_schema=False, public=True, media_type=MediaType.CSS)
async def read_style() -> Response[str]:
    """The page's style sheet."""
    return Response(docs_page.STYLE, media_type=MediaType.CSS, headers={"Cache-Control": "public, max-age=300"})


def config() -> OpenAPIConfig:
    """How the document is made and where it is served."""
    return OpenAPIConfig(
        title=f"{DISPLAY_NAME} control plane",
        version=VERSION,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                SCHEME: SecurityScheme(
                    type="http", scheme="bearer", description="An account token from POST /v1/login."
                )
            }
        ),
        security=[{SCHEME: []}],
        render_plugins=[JsonRenderPlugin(path="/openapi.json"), PagePlugin(path="/docs")],
        openapi_router=Router("/v1", route_handlers=[], opt={PUBLIC: True}, include_in_schema=False),
    )


router = Router("/", route_handlers=[find_docs, read_style])
