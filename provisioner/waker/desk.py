"""Whose address a host name is, whether a presented key opens it, and what its server is started from.

All of it is read from what the host alone writes.

Neither registry nor control plane is asked. Files are read again when they have changed, so a revoked key is refused
here as soon as the policy without it is on disk.
"""

import hashlib
import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from provisioner.waker.errors import InstanceDeleting, InstanceUnavailable, UnknownInstance
from shared.contracts import signed_policy
from shared.contracts.policy import Mode, Policy, Trust
from shared.contracts.state_folder import StateFolder
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.clock import Clock
from shared.kernel.ids import SLUG_LENGTH, Slug, SubstrateId
from shared.kernel.logs import logger
from shared.keys.probe import PREFIX as PROBE_PREFIX
from shared.keys.verdict import KeyTable

log = logger(__name__)

SUBSTRATE: Final = re.compile(r"[a-z0-9_]{1,64}")
SLUG_FILE_BYTES: Final = 100
SPEC_BYTES: Final = 64 * 1024
REMEMBERED: Final = 1024
"""Policies kept in memory; beyond it all are forgotten, which costs a signature check each."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """A policy that was checked, and which files it was read from."""

    stamps: tuple[Stamp, Stamp]
    policy: Policy
    keys: KeyTable


class Desk:
    """Answers for one host's tenants."""

    def __init__(self, state: StateFolder, domain: str, clock: Clock) -> None:
        """Tenants are `<slug>.<domain>`."""
        self._state = state
        self._clock = clock
        self._host = re.compile(rf"([a-z2-7]{{{SLUG_LENGTH}}})\.{re.escape(domain.lower())}")
        self._known: dict[SubstrateId, Known] = {}

    def admit(self, host: str, presented: str) -> Slug:
        """Whose server is to be woken for this key.

        Raises:
            UnknownInstance: the host name is nobody's.
            KeyRefused: the key does not open this instance; in the words its server would use.
            InstanceDeleting: nothing is served any more.
            InstanceUnavailable: nobody can be let in yet. Also to the host's own probe: whoever asks with that is
                starting the server already.
        """
        slug = self._slug_of(host)
        substrate = self._substrate_of(slug)
        known = self._policy_of(substrate, slug)
        if _opens_as_probe(known.policy, presented):
            raise InstanceUnavailable(substrate=substrate)
        known.keys.admit(presented, self._clock.now())
        _refuse_deleting(known.policy)
        return slug

    def substrate_of(self, slug: Slug) -> SubstrateId:
        """Whose slug it is.

        Raises:
            UnknownInstance: nobody's (any more).
        """
        return self._substrate_of(slug)

    def spec_of(self, slug: Slug) -> tuple[TenantSpec, str]:
        """What its server is started from, and the host name it answers to. To be asked under the substrate's lock.

        Raises:
            UnknownInstance: it has been deleted meanwhile.
            InstanceDeleting: nothing is served any more.
            InstanceUnavailable: the host has not put everything there yet.
        """
        substrate = self._substrate_of(slug)
        policy = self._policy_of(substrate, slug).policy
        _refuse_deleting(policy)
        content = _read(self._state.tenant(substrate, slug).spec, SPEC_BYTES)
        try:
            spec = msgspec.json.decode(content or b"", type=TenantSpec)
        except msgspec.MsgspecError:
            raise InstanceUnavailable(substrate=substrate, because="it has no spec") from None
        if (spec.substrate, spec.slug) != (substrate, slug):
            raise InstanceUnavailable(substrate=substrate, because="the spec is another's")
        return spec, policy.hosts[0] if policy.hosts else ""

    def _slug_of(self, host: str) -> Slug:
        name = host.strip().lower().rpartition(":")[0] if ":" in host else host.strip().lower()
        found = self._host.fullmatch(name.rstrip("."))
        if found is None:
            raise UnknownInstance
        return Slug(found.group(1))

    def _substrate_of(self, slug: Slug) -> SubstrateId:
        content = _read(self._state.slugs / slug, SLUG_FILE_BYTES)
        name = content.decode("ascii", "replace").strip() if content else ""
        if SUBSTRATE.fullmatch(name) is None:
            raise UnknownInstance
        return SubstrateId(name)

    def _policy_of(self, substrate: SubstrateId, slug: Slug) -> Known:
        place = self._state.tenant(substrate, slug)
        stamps = (_stamp(place.trust), _stamp(place.policy))
        known = self._known.get(substrate)
        if known is None or known.stamps != stamps:
            known = self._read_policy(substrate, place.trust, place.policy, stamps)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[substrate] = known
        return known

    def _read_policy(self, substrate: SubstrateId, trust: Path, policy: Path, stamps: tuple[Stamp, Stamp]) -> Known:
        trusted, jws = (_read(path, signed_policy.MAX_BYTES) for path in (trust, policy))
        if not trusted or not jws:
            raise InstanceUnavailable(substrate=substrate, because="it has no policy yet")
        try:
            checked = signed_policy.verify_for(
                jws.decode("ascii"), msgspec.json.decode(trusted, type=Trust), substrate=substrate
            )
        except (signed_policy.PolicyRefused, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.error("policy on disk cannot be trusted", substrate=substrate, reason=str(error))  # noqa: TRY400
            raise InstanceUnavailable(substrate=substrate) from None
        return Known(stamps=stamps, policy=checked, keys=KeyTable.of(checked))


def _refuse_deleting(policy: Policy) -> None:
    """Every other mode allows something, so its server has to be there and says itself what it refuses."""
    if policy.mode is Mode.DELETING:
        raise InstanceDeleting(substrate=policy.substrate)


def _opens_as_probe(policy: Policy, presented: str) -> bool:
    """Whether it is the host's own probe, asking whether the server is ready."""
    if policy.probe is None or not presented.startswith(PROBE_PREFIX):
        return False
    found = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.compare_digest(found, policy.probe.digest)


def _read(path: Path, most: int) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        content = file.read(most + 1)
    return content if len(content) <= most else None


def _stamp(path: Path) -> Stamp:
    """Changes whenever a file is replaced: each writing is a new file."""
    try:
        found = path.lstat()
    except OSError:
        return (0, 0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
