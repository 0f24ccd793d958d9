"""Errors as problem+json: RFC 9457. One place for every HTTP face."""

import secrets
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from shared.kernel.errors import AppError
from shared.kernel.logs import logger

log = logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

CODES: Final[dict[int, tuple[str, str]]] = {
    400: ("invalid_request", "Correct the request and send it again; /v1/openapi.json shows its form."),
    404: ("not_found", "Check the address; /v1/openapi.json lists what there is."),
    405: ("method_not_allowed", "Use one of the methods in the Allow header."),
    413: ("too_large", "Send less in one request."),
    415: ("unsupported_media_type", "Send JSON with “Content-Type: application/json”."),
}
"""What the framework itself refuses: status to code and next step."""

SENTENCES: Final[dict[str, str]] = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "This address does not take that method.",
    "Input data was truncated": "The body is not complete JSON.",
}
"""The framework's words, and what they mean to a caller."""


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of every error: RFC 9457, section 3.1, with `code` and `next_action` as extension members."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    next_action: str | None = None
    reference: str | None = None
    """Of an internal error: what to tell support."""
    errors: list[dict[str, Any]] | None = None
    """Which members of the request are wrong, and how."""


def response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The problem as a response."""
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def of(error: AppError) -> Problem:
    """What the caller of a refused request is shown."""
    return Problem(
        type=f"urn:loam:problem:{error.code}",
        title=error.code.replace("_", " ").capitalize(),
        status=error.status,
        code=error.code,
        detail=error.detail,
        next_action=error.next_step,
    )


def from_app_error(_request: Request[Any, Any, Any], error: AppError) -> Response[bytes]:
    """Handler for conditions of our own; their facts go to the log, once, here."""
    log.info("request refused", code=error.code, facts={name: str(value) for name, value in error.facts.items()})
    return response(of(error), error.headers)


def from_http_exception(_request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Handler for what the framework refuses."""
    code, next_action = CODES.get(error.status_code, ("request_refused", None))
    found = error.extra if isinstance(error, ValidationException) and isinstance(error.extra, list) else None
    # A validation message may quote the caller's input; input can hold a key, so only where and what is told.
    errors = [{"key": item.get("key"), "message": item.get("message")} for item in found] if found else None
    problem = Problem(
        type=f"urn:loam:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=error.status_code,
        code=code,
        detail="The request does not have the right form."
        if errors and code == "invalid_request"
        else SENTENCES.get(error.detail, error.detail),
        next_action=next_action,
        errors=errors,
    )
    return response(problem, dict(error.headers or {}))


def from_bug(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Handler for everything else: logged with its traceback, shown with a reference only."""
    reference = secrets.token_hex(6)
    log.error("internal error", reference=reference, exc_info=error)
    problem = Problem(
        type="urn:loam:problem:internal_error",
        title="Internal error",
        status=500,
        code="internal_error",
        detail="Something went wrong on our side.",
        next_action="Try again; if it happens again, tell support the reference.",
        reference=reference,
    )
    return response(problem)


HANDLERS: Final[dict[int | type[Exception], Any]] = {
    AppError: from_app_error,
    HTTPException: from_http_exception,
    Exception: from_bug,
}
"""What an application passes as `exception_handlers`."""
