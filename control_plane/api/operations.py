"""Operations: work that outlasts a request, to be followed, canceled and retried."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter

from control_plane.actions.cancel_operation import cancel_operation as cancel_action
from control_plane.actions.follow_operation import follow_operation
from control_plane.actions.retry_operation import retry_operation as retry_action
from control_plane.actions.tools import Tools
from control_plane.api import etags, names
from control_plane.api.moments import shown
from shared.contracts.operations import COURSES, Kind
from shared.lifecycle.operation import Status
from shared.registry.account_tokens import Bearer
from shared.registry.operations import Failure, Operation, StepRecord

StepStatus = Literal["pending", "running", "done", "failed"]

WAIT_MOST = 30
"""Seconds that one request may be held open."""

Wait = Annotated[
    int,
    QueryParameter(
        description="Seconds to wait for the operation's end. With `If-None-Match`, any change is answered at once.",
        ge=0,
        le=WAIT_MOST,
    ),
]


class StepView(msgspec.Struct, frozen=True):
    """One step and how far it is."""

    name: str
    title: str
    """In words for people."""
    status: StepStatus
    started_at: str | None
    finished_at: str | None
    waiting_for: str | None
    """What a step that looks again and again is waiting for."""


class OperationView(msgspec.Struct, frozen=True):
    """An operation, with every step it has."""

    id: str
    kind: Kind
    status: Status
    substrate_id: str
    steps: list[StepView]
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    error: Failure | None
    cancellable: bool
    retryable: bool
    created_at: str
    finished_at: str | None
    held_until: str | None
    """Asked for and not begun: until then canceling it undoes it."""

    @classmethod
    def of(cls, operation: Operation) -> "OperationView":
        """As it is shown."""
        steps = _steps(operation)
        done = sum(step.status == "done" for step in steps)
        return cls(
            id=operation.id,
            kind=operation.kind,
            status=operation.status,
            substrate_id=operation.substrate,
            steps=steps,
            percent=100 * done // len(steps),
            error=operation.error,
            cancellable=operation.cancellable,
            retryable=operation.status in {Status.FAILED, Status.CANCELED},
            created_at=shown(operation.created_at) or "",
            finished_at=shown(operation.finished_at),
            held_until=shown(operation.held_until),
        )


class OperationAnswer(msgspec.Struct, frozen=True):
    """An operation that was begun."""

    operation: OperationView


@get(
    "/v1/operations/{operation_id:str}",
    operation_id="get_operation",
    tags=["Operations"],
    summary="Follow an operation",
    responses={304: ResponseSpec(None, description="Nothing has changed.")},
)
async def get_operation(
    request: Request[Any, Any, State],
    operation_id: FromPath[str],
    tools: NamedDependency[Tools],
    caller: NamedDependency[Bearer],
    wait: Wait = 0,
) -> Response[OperationView]:
    """How far it is. With `wait`, the answer comes when it has ended, or after that many seconds."""
    watching = "if-none-match" in request.headers

    def enough(found: Operation) -> bool:
        if not found.active:
            return True
        return watching and not etags.is_known(request, etags.tag_of(OperationView.of(found)))

    found = await follow_operation(tools, caller, names.operation(operation_id), wait, enough=enough)
    return etags.answer(request, OperationView.of(found))


@post(
    "/v1/operations/{operation_id:str}/cancel",
    operation_id="cancel_operation",
    status_code=200,
    tags=["Operations"],
    summary="Cancel an operation",
)
async def cancel_operation(
    operation_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> OperationView:
    """Call it off. Only an operation that says `cancellable` can be."""
    return OperationView.of(await cancel_action(tools, caller, names.operation(operation_id)))


@post(
    "/v1/operations/{operation_id:str}/retry",
    operation_id="retry_operation",
    status_code=202,
    tags=["Operations"],
    summary="Retry an operation",
)
async def retry_operation(
    operation_id: FromPath[str], tools: NamedDependency[Tools], caller: NamedDependency[Bearer]
) -> OperationView:
    """Begin anew what failed or was canceled."""
    return OperationView.of(await retry_action(tools, caller, names.operation(operation_id)))


def _steps(operation: Operation) -> list[StepView]:
    records = {record.name: record for record in operation.steps}
    return [_step(operation, name, title, records.get(name)) for name, title in COURSES[operation.kind].steps]


def _step(operation: Operation, name: str, title: str, record: StepRecord | None) -> StepView:
    return StepView(
        name=name,
        title=title,
        status=_status(operation, name, record),
        started_at=shown(record.started_at) if record else None,
        finished_at=shown(record.finished_at) if record else None,
        waiting_for=record.waiting_for if record and operation.active else None,
    )


def _status(operation: Operation, name: str, record: StepRecord | None) -> StepStatus:
    if operation.status is Status.SUCCEEDED or (record is not None and record.finished_at is not None):
        return "done"
    if record is None or operation.status in {Status.QUEUED, Status.CANCELED}:
        return "pending"
    if operation.status is Status.FAILED:
        return "failed" if operation.step in {name, None} else "pending"
    return "running"


router = Router("/", route_handlers=[get_operation, cancel_operation, retry_operation])
