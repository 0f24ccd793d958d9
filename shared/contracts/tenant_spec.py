"""What a tenant's server is started from: plain values, kept in the host's folder so that it can be woken alone."""

from enum import StrEnum

import msgspec

from shared.kernel.ids import Slug, SubstrateId


class Placement(StrEnum):
    """Where a tenant runs."""

    SHARED = "shared"
    """Packed with others up to the host's capacity; may sleep."""
    DEDICATED = "dedicated"
    """Memory and CPUs reserved, never overcommitted; never sleeps."""


class TenantSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's server, as the runtime is asked to run it."""

    substrate: SubstrateId
    slug: Slug
    uid: int
    """Its own user and group id; nobody else on the host has it."""
    placement: Placement
    memory_mb: int
    cpus: float
    storage_bytes: int
    generation: int
    """Of the desired state; a later one replaces an earlier one."""
