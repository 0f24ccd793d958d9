"""Completing the OpenAPI document with what holds for every operation."""

from http import HTTPStatus
from typing import Final

from litestar import Litestar
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema

from control_plane.api.session import PUBLIC
from shared.web.problems import MEDIA_TYPE

DESCRIPTIONS: Final = {
    "200": "Done.",
    "201": "Made.",
    "202": "Begun: follow the operation to its end.",
    "204": "Done; there is nothing to say.",
}
"""In place of the framework's, which are the names of HTTP's statuses."""

TEXT: Final = Schema(type=OpenAPIType.STRING)

PROBLEM: Final = Schema(
    title="Problem",
    type=OpenAPIType.OBJECT,
    description="What went wrong: RFC 9457 with a code that never changes and the next step.",
    required=["type", "title", "status", "code", "detail"],
    properties={
        "type": TEXT,
        "title": TEXT,
        "status": Schema(type=OpenAPIType.INTEGER),
        "code": TEXT,
        "detail": TEXT,
        "next_action": TEXT,
        "reference": TEXT,
        "errors": Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.OBJECT)),
    },
)


def complete(app: Litestar) -> None:
    """Every operation may answer with a problem, and those that are public need no token."""
    public = {
        handler.operation_id
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if handler.opt.get(PUBLIC) is True and isinstance(getattr(handler, "operation_id", None), str)
    }
    for item in (app.openapi_schema.paths or {}).values():
        for operation in (item.get, item.post, item.delete):
            if operation is not None:
                _complete_one(operation, public=operation.operation_id in public)


def _complete_one(operation: Operation, *, public: bool) -> None:
    responses = operation.responses if operation.responses is not None else {}
    responses.pop("400", None)  # the framework describes a form of its own; ours is the same for every error
    for status, answer in responses.items():
        if isinstance(answer, OpenAPIResponse) and answer.description == _framework_words(status):
            answer.description = DESCRIPTIONS.get(status, answer.description)
    responses["default"] = OpenAPIResponse(
        description="A problem: RFC 9457.", content={MEDIA_TYPE: OpenAPIMediaType(schema=PROBLEM)}
    )
    operation.responses = responses
    if public:
        operation.security = []


def _framework_words(status: str) -> str:
    return HTTPStatus(int(status)).description if status.isdigit() else ""
