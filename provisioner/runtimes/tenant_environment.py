"""The environment a tenant's server is started with. Pure."""

from shared.contracts.state_folder import TenantFolders
from shared.contracts.tenant_spec import TenantSpec


def inside_container(spec: TenantSpec) -> dict[str, str]:
    """In a container the folders are mounted where the server expects them."""
    return {"TENANT_SUBSTRATE": spec.substrate}


def on_host(spec: TenantSpec, folders: TenantFolders) -> dict[str, str]:
    """As a process it is told where they are."""
    return {
        "TENANT_SUBSTRATE": spec.substrate,
        "TENANT_DATA_DIR": str(folders.data),
        "TENANT_KEYS_DIR": str(folders.keys),
        "TENANT_HOST_DIR": str(folders.host),
        "TENANT_EDGE_DIR": str(folders.edge),
        "TENANT_CONTROL_DIR": str(folders.control),
    }
