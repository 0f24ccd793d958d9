"""How a refusal is described in the API's document: the same form for every one."""

from typing import Final

from litestar.openapi import ResponseSpec

from shared.web.problems import MEDIA_TYPE, Problem

STATUSES: Final = (400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 500, 503, 507)

REFUSALS: Final = dict.fromkeys(
    STATUSES, ResponseSpec(Problem, description="Refused", media_type=MEDIA_TYPE, generate_examples=False)
)
"""What every described route passes as `responses`."""
