"""What this host declares it can hold: by its settings, else by what the machine has."""

import os
from typing import Final

from provisioner.settings import ProvisionerSettings
from shared.registry.capacity import Capacity

MB: Final = 1024 * 1024
SHARED_PART: Final = 2
DEDICATED_PART: Final = 4
"""A half and a quarter of the machine's memory; the last quarter is for the services, the engine and the page cache."""


def capacity_of(settings: ProvisionerSettings) -> Capacity:
    """What a worker writes into the registry when it starts."""
    memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MB
    return Capacity(
        shared_memory_mb=_or(settings.shared_memory_mb, memory_mb // SHARED_PART),
        overcommit=settings.overcommit,
        dedicated_memory_mb=_or(settings.dedicated_memory_mb, memory_mb // DEDICATED_PART),
        dedicated_cpus=settings.dedicated_cpus,
        awake_tenants=settings.awake_tenants,
        disk_bytes=settings.disk_bytes,
    )


def _or(given: int | None, measured: int) -> int:
    return measured if given is None else given
