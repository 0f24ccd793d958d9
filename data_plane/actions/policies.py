"""Take a policy into force: at boot from the host's folder, later when it is pushed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from data_plane.actions.memory import Memory
from data_plane.policy.errors import PolicyNotAccepted, PolicyOlder
from data_plane.policy.in_force import PolicyDesk
from data_plane.store import tally_table
from data_plane.store.database import Tx
from data_plane.store.errors import StorageFull
from shared.contracts.policy import Applied, Policy, Trust
from shared.contracts.signed_policy import MAX_BYTES, PolicyRefused, verify_for
from shared.kernel.errors import AppError
from shared.kernel.ids import SubstrateId
from shared.kernel.logs import logger

log = logger(__name__)

ROOM_BESIDE_LIMIT: Final = 2 * 1024 * 1024
"""What the file may grow beyond the plan's storage: tombstones and the policy's order are written when it is full."""


class Policies:
    """Verifies policies, remembers the highest that was applied, and puts them on the desk."""

    def __init__(self, memory: Memory, desk: PolicyDesk, *, substrate: SubstrateId, host_dir: Path) -> None:
        """Nothing is in force yet."""
        self._memory = memory
        self._desk = desk
        self._substrate = substrate
        self._host_dir = host_dir
        self._one_at_a_time = asyncio.Lock()

    async def load(self) -> None:
        """At boot: enforce the host's policy. Without a good one the server starts all the same and opens nothing."""
        try:
            jws = await asyncio.to_thread(_read, self._host_dir / "policy")
            applied = await self.apply(jws)
        except AppError as refused:
            log.error("no policy is in force", code=refused.code, why=refused.detail)  # noqa: TRY400 - no bug
        else:
            log.info("policy loaded", epoch=applied.epoch, generation=applied.generation)

    async def apply(self, jws: str) -> Applied:
        """Enforce a signed policy from now on. The same one again is accepted.

        Raises:
            PolicyNotAccepted: it is malformed, unsigned or another substrate's.
            PolicyOlder: a later one was applied before.
        """
        async with self._one_at_a_time:
            policy = await asyncio.to_thread(self._verified, jws)
            await self._remember(policy)
            self._desk.put(policy)
        log.info("policy applied", epoch=policy.epoch, generation=policy.generation, mode=policy.mode.value)
        return Applied(epoch=policy.epoch, generation=policy.generation)

    def _verified(self, jws: str) -> Policy:
        try:
            trust = msgspec.json.decode(_read(self._host_dir / "trust"), type=Trust)
            return verify_for(jws, trust, substrate=self._substrate)
        except (PolicyRefused, msgspec.MsgspecError) as error:
            raise PolicyNotAccepted(shown={"why": str(error)}) from None

    async def _remember(self, policy: Policy) -> None:
        try:
            await self._memory.writer.write(_remembering(policy))
        except StorageFull:
            # A revoked key must end even on a full disk; only the memory of the order is lost until the next push.
            log.error("the policy's order was not stored: the disk is full")  # noqa: TRY400 - no bug


def _remembering(policy: Policy) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        applied = tally_table.get_policy_order(tx)
        if policy.order < applied:
            raise PolicyOlder(shown={"offered": policy.order, "applied": applied})
        if policy.order > applied:
            tally_table.update_policy_order(tx, policy.order)
        tally_table.update_bytes_limit(tx, policy.limits.storage_bytes + ROOM_BESIDE_LIMIT)

    return work


def _read(file: Path) -> str:
    """A file of the host's, bounded."""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1).decode("ascii").strip()
    except FileNotFoundError:
        raise PolicyNotAccepted(shown={"why": f"the host has put no {file.name} there"}) from None
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyNotAccepted(shown={"why": f"{file.name} is not readable: {type(error).__name__}"}) from None
