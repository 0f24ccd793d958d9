"""Who am I: what a key is, and what instance it opens."""

import msgspec

from data_plane.policy.caller import Caller
from shared.kernel.clock import from_ms, iso


class WhoamiView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The key that asks, and the instance that answers. Absent members do not apply."""

    key: str
    """The key's name."""
    key_id: str
    scopes: tuple[str, ...]
    instance: str
    plan: str
    mode: str
    epoch: int
    generation: int
    """Of the policy in force."""
    mode_reason: str | None = None
    expires_at: str | None = None
    namespaces: tuple[str, ...] | None = None


def whoami(caller: Caller) -> WhoamiView:
    """What the policy in force says about the caller."""
    policy = caller.policy
    return WhoamiView(
        key=caller.name,
        key_id=caller.key_id,
        scopes=tuple(scope.value for scope in caller.scopes),
        instance=policy.instance_url,
        plan=policy.plan,
        mode=policy.mode.value,
        epoch=policy.epoch,
        generation=policy.generation,
        mode_reason=policy.mode_reason,
        expires_at=iso(from_ms(caller.expires_at_ms)) if caller.expires_at_ms is not None else None,
        namespaces=caller.namespaces,
    )
