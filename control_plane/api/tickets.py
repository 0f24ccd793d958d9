"""`Idempotency-Key`, read from a request: the one place where handlers get it from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from litestar import Request, Response
from litestar.datastructures import State
from litestar.params import HeaderParameter

from control_plane.actions import once
from control_plane.actions.once import Once, Replay
from control_plane.actions.tools import Tools
from shared.registry.account_tokens import Bearer

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request's key and digest."""

    scope: str
    key: str | None
    fingerprints: tuple[bytes, ...]

    def answering(self, status: int, show: Callable[[R], Any]) -> Once[R]:
        """For an answer that may be given again."""
        return Once(self.scope, self.key, self.fingerprints, status, show)

    def with_secret(self, status: int, *, scope: str | None = None) -> Once[Any]:
        """For an answer that holds a secret. `scope` says whose key it is where nobody is logged in."""
        return Once(scope or self.scope, self.key, self.fingerprints, status, None)


async def provide_ticket(
    request: Request[Any, Any, State],
    state: State,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            description="A fresh random value for each new request; sent again with the same request it gets the same "
            "answer, and nothing is done twice. Answers are kept for seven days.",
            min_length=1,
            max_length=once.KEY_LENGTH_MOST,
            pattern="^[!-~]+$",
        ),
    ] = None,
) -> Ticket:
    """The ticket of a request that creates something."""
    tools: Tools = state.tools
    caller = request.scope.get("user")
    scope = caller.account if isinstance(caller, Bearer) else "public"
    digests = once.fingerprints(tools.seals, request.method, request.url.path, await request.body())
    return Ticket(scope, once.checked_key(idempotency_key), digests)


def from_replay(_request: Request[Any, Any, Any], replay: Replay) -> Response[Any]:
    """Handler: the answer that was given before."""
    return Response(replay.answer.body, status_code=replay.answer.status, headers={"Idempotency-Replayed": "true"})
