"""What the server says about itself to the provisioner."""

import apsw
from litestar import get
from litestar.di import NamedDependency

from data_plane.actions.memory import Memory
from data_plane.actions.usage import count_usage
from data_plane.draining import Draining
from data_plane.edge.activity import Activity
from data_plane.edge.uses import KeyUses
from data_plane.policy.in_force import PolicyDesk
from data_plane.settings import TenantSettings
from shared.contracts.tenant_server import Status
from shared.kernel.product import VERSION

NONE = 0
"""Epoch and generation while no policy is in force: no policy has them."""


@get("/status", operation_id="show_status")
async def show_status(
    memory: NamedDependency[Memory],
    desk: NamedDependency[PolicyDesk],
    uses: NamedDependency[KeyUses],
    activity: NamedDependency[Activity],
    draining: NamedDependency[Draining],
    settings: NamedDependency[TenantSettings],
) -> Status:
    """Usage, the last use of every key, which policy is in force, and whether anybody is there."""
    in_force = desk.find()
    return Status(
        substrate=settings.substrate,
        epoch=in_force.policy.epoch if in_force else NONE,
        generation=in_force.policy.generation if in_force else NONE,
        usage=await count_usage(memory),
        last_request_ms=uses.last_request_ms,
        last_client=uses.last_client,
        keys=uses.show(),
        idle_ms=activity.idle_ms(),
        open_exchanges=activity.count_open(),
        draining=draining.has_begun,
        versions={"server": VERSION, "sqlite": apsw.sqlite_lib_version()},
    )
