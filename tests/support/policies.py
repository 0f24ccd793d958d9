"""Policies, keys and trust for tests: signed with a key that every test may know."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from shared.contracts.policy import DEFAULT_SCOPES, KeyGrant, Limits, Mode, Policy, Probe, Scope, Trust
from shared.contracts.signed_policy import sign, trusted_key
from shared.keys import format as key_format

SEED: Final = bytes(range(32))
OTHER_SEED: Final = bytes(range(1, 33))
KEY_ID: Final = "sign-1"
SUBSTRATE: Final = "sub_testtesttesttest"
SLUG: Final = "abcdefghij"
HOST: Final = f"{SLUG}.loam.localhost"
INSTANCE: Final = f"https://{HOST}:8443"
PROBE: Final = "lpb_" + "0" * 64

ROOMY: Final = Limits(atoms=1_000, atom_bytes=4_096, storage_bytes=100_000_000, bootstraps_per_month=200)


def trust_json(seed: bytes = SEED) -> bytes:
    """The trust file that accepts `seed`'s signatures."""
    return msgspec.json.encode(Trust(keys=(trusted_key(key_id=KEY_ID, seed=seed),)))


def grant(
    secret: str, *, key_id: str = "key_1", name: str = "laptop", scopes: tuple[Scope, ...] = DEFAULT_SCOPES, **more: Any
) -> KeyGrant:
    """A grant for a key's text."""
    return KeyGrant(
        key_id=key_id,
        name=name,
        digest=key_format.digest(secret),
        scopes=scopes,
        **{"not_before_ms": 0, **more},
    )


@dataclass(frozen=True, slots=True)
class PolicyBuilder:
    """A policy in the making; `signed()` is what a server is given."""

    key: str = field(default_factory=key_format.mint)
    """The text of the first key."""
    policy: Policy = field(
        default_factory=lambda: Policy(
            substrate=SUBSTRATE,
            slug=SLUG,
            hosts=(HOST,),
            instance_url=INSTANCE,
            epoch=1,
            generation=1,
            issued_at_ms=0,
            mode=Mode.RUNNING,
            plan="starter",
            limits=ROOMY,
            probe=Probe(digest=key_format.digest(PROBE)),
        )
    )

    @classmethod
    def with_key(cls, **of_grant: Any) -> "PolicyBuilder":
        """A running substrate with one key."""
        builder = cls()
        return builder.changed(keys=(grant(builder.key, **of_grant),))

    def changed(self, **members: Any) -> "PolicyBuilder":
        """The same with other members."""
        return replace(self, policy=msgspec.structs.replace(self.policy, **members))

    def next(self, **members: Any) -> "PolicyBuilder":
        """As `changed`, one generation later."""
        return self.changed(generation=self.policy.generation + 1, **members)

    def signed(self, seed: bytes = SEED) -> str:
        """The compact JWS."""
        return sign(self.policy, key_id=KEY_ID, seed=seed)
