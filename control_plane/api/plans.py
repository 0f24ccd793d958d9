"""The plans that can be subscribed to."""

import msgspec
from litestar import Router, get

from shared.plans import PLANS, TRIAL_DAYS, Plan


class PlansView(msgspec.Struct, frozen=True):
    """Every plan, the smallest first, and how long a trial lasts."""

    plans: list[Plan]
    trial_days: int


@get("/v1/plans", operation_id="list_plans", public=True, tags=["Plans"], summary="The plans")
async def list_plans() -> PlansView:
    """What there is to subscribe to, and what each costs and holds."""
    return PlansView(list(PLANS.values()), TRIAL_DAYS)


router = Router("/", route_handlers=[list_plans])
