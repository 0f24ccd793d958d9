"""A pushed policy."""

from typing import Any

from litestar import Request, put
from litestar.di import NamedDependency

from data_plane.actions.policies import Policies
from data_plane.policy.errors import PolicyNotAccepted
from shared.contracts.policy import Applied
from shared.contracts.signed_policy import MAX_BYTES


@put("/policy", operation_id="put_policy", request_max_body_size=MAX_BYTES)
async def put_policy(request: Request[Any, Any, Any], policies: NamedDependency[Policies]) -> Applied:
    """Enforce this policy from the next request on. It is answered once it is in force."""
    body = await request.body()
    try:
        jws = body.decode("ascii").strip()
    except UnicodeDecodeError:
        raise PolicyNotAccepted(shown={"why": "it is no compact JWS"}) from None
    return await policies.apply(jws)
