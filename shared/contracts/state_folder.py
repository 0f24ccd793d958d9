"""The state folder: where everything on one host lives. Pure: paths, no deeds.

```
<state>/tenants/<substrate>/{data,keys}             written by the tenant; keys apart from data
<state>/tenants/<substrate>/host/{policy,trust,spec,lock}   written by the host only, read-only for the tenant
<state>/control/<substrate>/control.sock            the provisioner only
<state>/edge/<slug>/live.sock                       the gateway only
<state>/edge/{app,waker}/live.sock                  the gateway's own upstreams; no slug has such a name
<state>/slugs/<slug>                                holds the substrate's id; the host only
<state>/secrets/                                    one file a secret, 0400
<state>/backups/<substrate>/                        backups, encrypted; the provisioner only
<state>/{postgres,redis,gateway,logs,run}/          the embedded services
```
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.kernel.ids import Slug, SubstrateId

SOCKET_PATH_LIMIT: Final = 107
"""Bytes in a unix socket's path (`sun_path` less its final zero, unix(7))."""


@dataclass(frozen=True, slots=True)
class TenantFolders:
    """One tenant's folders."""

    tenant: Path
    data: Path
    keys: Path
    host: Path
    control: Path
    edge: Path

    @property
    def policy(self) -> Path:
        """The signed policy in force, a compact JWS."""
        return self.host / "policy"

    @property
    def trust(self) -> Path:
        """The keys that may sign it (`shared.contracts.policy.Trust` as JSON)."""
        return self.host / "trust"

    @property
    def spec(self) -> Path:
        """What the container is made from (`shared.contracts.tenant_spec.TenantSpec` as JSON)."""
        return self.host / "spec"

    @property
    def lock(self) -> Path:
        """Locked by whoever starts or stops the server."""
        return self.host / "lock"

    @property
    def control_socket(self) -> Path:
        """Where the provisioner speaks to the server."""
        return self.control / "control.sock"

    @property
    def live_socket(self) -> Path:
        """Where the gateway speaks to the server."""
        return self.edge / "live.sock"


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder's map."""

    root: Path

    @property
    def tenants(self) -> Path:
        """A folder a substrate."""
        return self.root / "tenants"

    @property
    def control(self) -> Path:
        """A folder a substrate, with its control socket."""
        return self.root / "control"

    @property
    def edge(self) -> Path:
        """All that the gateway sees."""
        return self.root / "edge"

    @property
    def slugs(self) -> Path:
        """A file a slug."""
        return self.root / "slugs"

    @property
    def secrets(self) -> Path:
        """The key ring."""
        return self.root / "secrets"

    @property
    def backups(self) -> Path:
        """Backups of tenants' memories, encrypted, where they are kept in a folder."""
        return self.root / "backups"

    @property
    def backups_under_way(self) -> Path:
        """Backups that are being made or opened, encrypted."""
        return self.root / "backups" / ".under-way"

    @property
    def outbox(self) -> Path:
        """Mail that no server was set up to send."""
        return self.root / "outbox"

    @property
    def api_socket(self) -> Path:
        """The control plane, as the gateway reaches it."""
        return self.edge / "app" / "live.sock"

    @property
    def waker_socket(self) -> Path:
        """The waker, as the gateway reaches it."""
        return self.edge / "waker" / "live.sock"

    def tenant(self, substrate: SubstrateId, slug: Slug) -> TenantFolders:
        """One tenant's folders."""
        tenant = self.tenants / substrate
        return TenantFolders(
            tenant=tenant,
            data=tenant / "data",
            keys=tenant / "keys",
            host=tenant / "host",
            control=self.control / substrate,
            edge=self.edge / slug,
        )
