"""Tenants' places on this host.

What is made first is what others need to find it again; the folder that the gateway sees is made last and is the first
to go.
"""

import os
import stat
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import msgspec

from provisioner.places import folders, lock, removal, restoring
from provisioner.places.errors import SlugTaken
from provisioner.places.ownership import PASSAGE, Access, Ownership
from provisioner.threads import in_thread
from shared.contracts import signed_policy
from shared.contracts.policy import Policy, Trust
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.contracts.tenant_spec import TenantSpec
from shared.kernel.clock import Clock
from shared.kernel.ids import OperationId, Slug, SubstrateId

CLOSED: Final = ".closed-"
"""How an edge folder is called after it was closed: no slug has such a name, so the gateway finds it no more."""

SLUG_BYTES: Final = 100
SPEC_BYTES: Final = 64 * 1024


class Places:
    """The tenants' folders under one state folder."""

    def __init__(self, state: StateFolder, clock: Clock, *, gateway_gid: int | None, root: bool | None = None) -> None:
        """`root` is whether owners can be set; it is found out unless a test says it."""
        self._state = state
        self._clock = clock
        self._gateway_gid = gateway_gid
        self._root = os.geteuid() == 0 if root is None else root

    def folders_of(self, spec: TenantSpec) -> TenantFolders:
        """Where a tenant's folders are, made or not."""
        return self._state.tenant(spec.substrate, spec.slug)

    def uid_of(self, spec: TenantSpec) -> int:
        """Which user its server runs as."""
        return spec.uid if self._root else os.geteuid()

    def ownership_of(self, spec: TenantSpec) -> Ownership:
        """Who owns its folders."""
        return Ownership(root=self._root, uid=spec.uid, gateway_gid=self._gateway_gid)

    async def prepare(self) -> None:
        """The folders above the tenants' own."""
        await in_thread(self._prepare)

    async def make_lockable(self, spec: TenantSpec) -> None:
        """The least that is needed to hold the substrate's lock: its folder and the lock's file."""
        await in_thread(self._make_lockable, spec)

    def locked(self, substrate: SubstrateId) -> AbstractAsyncContextManager[None]:
        """Hold the substrate's lock on this host.

        Raises:
            PlaceGone: it has no folders here.
            PlaceLocked: somebody has held it for too long.
        """
        return lock.locked(self._state.tenant(substrate, Slug("")).lock, substrate, self._clock)

    async def make(self, spec: TenantSpec) -> None:
        """All folders, with owners and modes; under the lock. What is there already stays as it is."""
        await in_thread(self._make, spec)

    async def write_policy(self, spec: TenantSpec, jws: str, trust: Trust) -> Policy:
        """Trust and policy, fsynced; under the lock. An older policy than the one there is not written.

        Returns:
            The policy that is there now.

        Raises:
            PolicyRefused: it is not signed by anybody in `trust`, or is another substrate's.
        """
        return await in_thread(self._write_policy, spec, jws, trust)

    async def write_spec(self, spec: TenantSpec) -> None:
        """What the server is started from, fsynced; under the lock."""
        host = self.folders_of(spec).host
        await in_thread(folders.write_file, host, "spec", msgspec.json.encode(spec), self.ownership_of(spec).host_file)

    async def read_spec(self, substrate: SubstrateId) -> TenantSpec | None:
        """What its server is started from, as the host has written it; under the lock."""
        return await in_thread(self._read_spec, substrate)

    async def close_edge(self, spec: TenantSpec) -> None:
        """Take the tenant away from the gateway: one rename, whatever its server does meanwhile."""
        await in_thread(self._close_edge, spec)

    async def remove(self, spec: TenantSpec) -> None:
        """Remove everything of the tenant's, the lock last; its server must be gone."""
        await in_thread(self._remove, spec)

    async def remove_skeleton(self, spec: TenantSpec) -> None:
        """Take back what `make_lockable` has made, if nothing else was; under the lock."""
        await in_thread(self._remove_skeleton, spec)

    async def fresh_memory(self, spec: TenantSpec) -> Path:
        """An empty folder beside the tenant's memory, the host's alone; under the lock.

        A restored memory that nobody has confirmed gives way to the previous one first; its server must be gone then.
        """
        return await in_thread(self._fresh_memory, spec)

    async def hand_over_memory(self, spec: TenantSpec, operation: OperationId) -> None:
        """Give the filled folder to the tenant, for this operation."""
        tenant, access = self.folders_of(spec).tenant, self.ownership_of(spec).writable
        await in_thread(restoring.hand_over, tenant, access, operation)

    async def memory_waits_for(self, spec: TenantSpec) -> OperationId | None:
        """The operation that a filled folder is for."""
        found = await in_thread(restoring.noted, self.folders_of(spec).tenant)
        return None if found is None else OperationId(found)

    async def is_memory_exchanged(self, spec: TenantSpec) -> bool:
        """Whether the restored memory is in place, and the previous one beside it."""
        place = self.folders_of(spec)
        return await in_thread(restoring.is_in_place, place.tenant, place.data)

    async def exchange_memory(self, spec: TenantSpec, *, new: bool) -> None:
        """Have the restored memory, or the previous one, in place; under the lock, and its server must be gone."""
        place = self.folders_of(spec)
        await in_thread(restoring.put_in_place, place.tenant, place.data, new=new)

    async def drop_other_memory(self, spec: TenantSpec) -> None:
        """Remove whichever memory is not in place; under the lock."""
        await in_thread(restoring.drop, self.folders_of(spec).tenant)

    async def is_there(self, spec: TenantSpec) -> bool:
        """Whether anything of the tenant's is left here."""
        place = self.folders_of(spec)
        return await in_thread(lambda: any(map(_exists, (place.tenant, place.control, place.edge))))

    async def is_open(self, spec: TenantSpec) -> bool:
        """Whether its server has made the socket that the gateway dials."""
        return await in_thread(_is_socket, self.folders_of(spec).live_socket)

    async def list_substrates(self) -> list[SubstrateId]:
        """Everyone who has a folder here."""
        return await in_thread(self._list_substrates)

    def _fresh_memory(self, spec: TenantSpec) -> Path:
        place = self.folders_of(spec)
        if restoring.noted(place.tenant) is not None:
            restoring.put_in_place(place.tenant, place.data, new=False)
        return restoring.fresh(place.tenant)

    def _prepare(self) -> None:
        self._state.root.mkdir(parents=True, exist_ok=True)
        passage = Access(-1, -1, PASSAGE if self._root else 0o700)
        for path in (self._state.tenants, self._state.control, self._state.edge):
            if not path.is_dir():  # one that is there belongs to whoever set this host up
                folders.ensure(path, passage)
        folders.ensure(self._state.slugs, Access(-1, -1, 0o700))

    def _make_lockable(self, spec: TenantSpec) -> None:
        place, owners = self.folders_of(spec), self.ownership_of(spec)
        folders.ensure(place.tenant, owners.tenant)
        folders.ensure(place.host, owners.host)
        handle = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.close(handle)

    def _make(self, spec: TenantSpec) -> None:
        place, owners = self.folders_of(spec), self.ownership_of(spec)
        for path in (place.data, place.keys, place.control):
            folders.ensure(path, owners.writable)
        self._take_slug(spec)
        folders.ensure(place.edge, owners.edge)

    def _take_slug(self, spec: TenantSpec) -> None:
        held = folders.read_file(self._state.slugs / spec.slug, most=SLUG_BYTES)
        if held is None:
            folders.write_file(self._state.slugs, spec.slug, spec.substrate.encode(), Access(-1, -1, 0o400))
        elif held.decode() != spec.substrate:
            raise SlugTaken(spec.slug)

    def _write_policy(self, spec: TenantSpec, jws: str, trust: Trust) -> Policy:
        place, access = self.folders_of(spec), self.ownership_of(spec).host_file
        given = signed_policy.verify_for(jws, trust, substrate=spec.substrate)
        known = msgspec.json.encode(trust)
        if folders.read_file(place.trust, most=signed_policy.MAX_BYTES) != known:
            # Trust first: a server that starts between the two must be able to check the policy it finds.
            folders.write_file(place.host, "trust", known, access)
        there = self._policy_there(place, trust, spec.substrate)
        if there is not None and there.order >= given.order:
            return there
        folders.write_file(place.host, "policy", jws.encode(), access)
        return given

    def _policy_there(self, place: TenantFolders, trust: Trust, substrate: SubstrateId) -> Policy | None:
        """The policy on disk, unless nobody we trust (any more) has signed it: then it orders nothing."""
        found = folders.read_file(place.policy, most=signed_policy.MAX_BYTES)
        try:
            return signed_policy.verify_for(found.decode(), trust, substrate=substrate) if found else None
        except (signed_policy.PolicyRefused, UnicodeDecodeError):
            return None

    def _read_spec(self, substrate: SubstrateId) -> TenantSpec | None:
        content = folders.read_file(self._state.tenant(substrate, Slug("")).spec, most=SPEC_BYTES)
        return msgspec.json.decode(content, type=TenantSpec) if content else None

    def _close_edge(self, spec: TenantSpec) -> None:
        (self._state.slugs / spec.slug).unlink(missing_ok=True)
        edge = self.folders_of(spec).edge
        number = 0
        while _exists(aside := self._state.edge / f"{CLOSED}{spec.slug}-{number}"):
            number += 1
        try:
            edge.rename(aside)
        except FileNotFoundError:
            return
        folders.sync_folder(self._state.edge)

    def _remove(self, spec: TenantSpec) -> None:
        self._close_edge(spec)
        for closed in self._state.edge.glob(f"{CLOSED}{spec.slug}-*"):
            removal.remove(closed)
        place = self.folders_of(spec)
        for path in (place.control, place.keys, place.data, place.tenant):
            removal.remove(path)

    def _remove_skeleton(self, spec: TenantSpec) -> None:
        place = self.folders_of(spec)
        try:
            if set(place.tenant.iterdir()) == {place.host} and set(place.host.iterdir()) == {place.lock}:
                removal.remove(place.tenant)
        except FileNotFoundError:
            return

    def _list_substrates(self) -> list[SubstrateId]:
        found = {path.name for root in (self._state.tenants, self._state.control) for path in root.iterdir()}
        return sorted(SubstrateId(name) for name in found)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _exists(path: Path) -> bool:
    return os.path.lexists(path)
