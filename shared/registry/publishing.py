"""Writing a substrate's policy: composed from its rows, signed and stored in the transaction that changed them.

Whoever changes a substrate, its terms or its keys calls `publish` before the transaction ends. Carrying the policy to
the tenant's server is the provisioner's work.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from shared.contracts import signed_policy
from shared.contracts.policy import Mode, Policy, Probe
from shared.kernel.clock import to_ms
from shared.kernel.ids import Slug, SubstrateId
from shared.kernel.secret_files import Secret
from shared.keys import probe
from shared.lifecycle.substrate import mode_of
from shared.registry import api_keys, policies, restrictions, substrates
from shared.registry.database import Tx
from shared.registry.policies import StoredPolicy


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where tenants are reached."""

    domain: str
    https_port: int

    def host(self, slug: Slug) -> str:
        """The tenant's host name."""
        return f"{slug}.{self.domain}"

    def instance_url(self, slug: Slug) -> str:
        """The tenant's address, without a final slash."""
        port = "" if self.https_port == 443 else f":{self.https_port}"  # noqa: PLR2004 (RFC 9110, section 4.2.2)
        return f"https://{self.host(slug)}{port}"

    def mcp_endpoint(self, slug: Slug) -> str:
        """Where MCP clients are pointed."""
        return f"{self.instance_url(slug)}/mcp"


@dataclass(frozen=True, slots=True)
class Signer:
    """What a policy is signed with, and what its probe is derived from."""

    signing: Secret
    probe: Secret
    addresses: Addresses


async def publish(
    tx: Tx, substrate: SubstrateId, signer: Signer, now: datetime, *, push_due_at: datetime | None
) -> StoredPolicy:
    """Compose, sign and store the policy that the substrate's rows now call for.

    `push_due_at` is when the sweep carries it if no nudge does; `None` while no server is up to take it, since the
    program that starts one carries the policy itself.
    """
    row = await substrates.claim(tx, substrate)
    restricting = await restrictions.list_of(tx, substrate)
    mode = mode_of(row.status, restricted=bool(restricting))
    epoch = await policies.get_epoch(tx)
    generation = await policies.next_generation(tx, substrate)
    token = probe.secret_for(signer.probe.value, substrate=substrate, epoch=epoch, generation=generation)
    policy = Policy(
        substrate=substrate,
        slug=row.slug,
        hosts=(signer.addresses.host(row.slug),),
        instance_url=signer.addresses.instance_url(row.slug),
        epoch=epoch,
        generation=generation,
        issued_at_ms=to_ms(now),
        mode=mode,
        mode_reason=restricting[0].reason.value if mode is Mode.READ_ONLY and restricting else None,
        plan=row.terms.id.value,
        limits=row.terms.limits,
        keys=await api_keys.list_grants(tx, substrate, now),
        probe=Probe(digest=hashlib.sha256(token.encode()).hexdigest()),
    )
    stored = StoredPolicy(
        substrate=substrate,
        epoch=epoch,
        generation=generation,
        jws=signed_policy.sign(policy, key_id=signer.signing.id, seed=signer.signing.value),
        signed_at=now,
        acknowledged=(0, 0),
        acknowledged_at=None,
    )
    await policies.update(tx, stored, push_due_at)
    return stored
