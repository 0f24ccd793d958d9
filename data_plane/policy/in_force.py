"""The policy in force: what decides every request, swapped whole.

Pure but for the clocks passed in. Reading and storing is done by the actions `load_policy` and `apply_policy`.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from data_plane.policy.caller import Caller
from data_plane.policy.errors import NoPolicy
from shared.contracts.policy import Policy, Probe
from shared.kernel.clock import Clock
from shared.keys.probe import PREFIX as PROBE_PREFIX
from shared.keys.verdict import KeyTable, KeyUnknown

Monotonic = Callable[[], float]
"""Seconds that only ever grow: the probe's time must not be lengthened by setting a clock back."""


@dataclass(frozen=True, slots=True)
class InForce:
    """One policy with what is derived from it once."""

    policy: Policy
    keys: KeyTable
    hosts: frozenset[str]
    """In lower case, without port."""
    origins: frozenset[str]
    """The instance's own origins: all that a browser may come from."""
    probe_until: float


class PolicyDesk:
    """Holds the policy in force and answers who a presented token is."""

    def __init__(self, clock: Clock, monotonic: Monotonic) -> None:
        """Start without a policy: until one is put, everything is refused."""
        self._clock = clock
        self._monotonic = monotonic
        self._in_force: InForce | None = None

    def put(self, policy: Policy) -> None:
        """Enforce this policy from now on, and count its probe's time from now."""
        seconds = policy.probe.seconds if policy.probe else 0
        self._in_force = InForce(
            policy=policy,
            keys=KeyTable.of(policy),
            hosts=frozenset(host.lower() for host in policy.hosts),
            origins=frozenset(
                {policy.instance_url.rstrip("/").lower(), *(f"https://{host.lower()}" for host in policy.hosts)}
            ),
            probe_until=self._monotonic() + seconds,
        )

    def find(self) -> InForce | None:
        """What is in force, if anything is."""
        return self._in_force

    def get(self) -> InForce:
        """What is in force.

        Raises:
            NoPolicy: nothing is.
        """
        if self._in_force is None:
            raise NoPolicy
        return self._in_force

    def admit(self, presented: str) -> Caller:
        """Who presents this token.

        Raises:
            NoPolicy: nothing is in force.
            KeyRefused: the token opens nothing here.
        """
        in_force = self.get()
        if presented.startswith(PROBE_PREFIX):
            return self._probe(in_force, presented)
        grant = in_force.keys.admit(presented, self._clock.now())
        return Caller.of(grant, in_force.policy)

    def _probe(self, in_force: InForce, presented: str) -> Caller:
        probe = in_force.policy.probe
        if probe is None or not _is(probe, presented) or self._monotonic() >= in_force.probe_until:
            raise KeyUnknown
        return Caller.for_probe(in_force.policy)


def _is(probe: Probe, presented: str) -> bool:
    found = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.compare_digest(found, probe.digest)
