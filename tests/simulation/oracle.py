"""What must hold, whatever happens: looked at before every commit, after every step, and at the end.

It knows nothing of how the engine works. It compares what the registry says with what it said before, and both with
what is on the host.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from shared.contracts.operations import COURSES, Kind
from shared.kernel.ids import SubstrateId
from shared.registry.database import Row
from tests.simulation.faults import Faults
from tests.simulation.ground import Ground
from tests.simulation.registry import MemoryRegistry

LATE_AFTER: Final = timedelta(seconds=150)
"""An operation may end this long after its deadline: a worker that died in it, its lease, one that stood still."""

ENDED: Final = ("succeeded", "failed", "canceled")
WORKERS_COLUMNS: Final = ("lease_number", "status", "step", "steps", "attempts", "error", "finished_at", "due_at")


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Oracle:
    """Remembers the registry as it was at the last commit."""

    registry: MemoryRegistry
    ground: Ground
    faults: Faults
    operations: dict[str, Row] = field(default_factory=dict)
    substrates: dict[str, Row] = field(default_factory=dict)
    policies: dict[str, Row] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def before_commit(self) -> None:
        """Compare what is about to be true with what was."""
        operations = {row["id"]: row for row in self.registry.look("SELECT * FROM operation")}
        substrates = {row["id"]: row for row in self.registry.look("SELECT id, status, observed FROM substrate")}
        policies = {row["substrate_id"]: row for row in self.registry.look("SELECT * FROM policy")}
        self._look_for_lost_rows(operations, substrates)
        for identifier, row in operations.items():
            self._compare_operation(self.operations.get(identifier), row)
        for identifier, row in substrates.items():
            self._compare_substrate(self.substrates.get(identifier), row)
        for identifier, row in policies.items():
            self._compare_policy(self.policies.get(identifier), row)
        self._one_active_each(operations)
        self.operations, self.substrates, self.policies = operations, substrates, policies

    def after_step(self) -> None:
        """Look at the host."""
        for substrate, servers in self.ground.servers.items():
            self._require(len(servers) <= 1, f"{substrate} has {len(servers)} servers")
        self._require(not self.ground.made_too_late, f"made after its deletion began: {self.ground.made_too_late}")

    def at_the_end(self, asked_to_delete: set[SubstrateId]) -> None:
        """All is quiet: everything has ended, and the host has just what the registry wants."""
        for row in self.operations.values():
            self._require(row["status"] in ENDED, f"{row['id']} ({row['kind']}) never ended: {row['status']}")
            self._has_ended_well(row)
        for identifier, row in self.substrates.items():
            self._host_agrees(SubstrateId(identifier), str(row["status"]))
        for substrate in asked_to_delete:
            status = self.substrates[substrate]["status"]
            self._require(status == "deleted", f"{substrate} was to be deleted and is {status}")
        counted = self.registry.look(
            "SELECT substrate_id, action, count(*) AS times FROM audit WHERE action <> 'substrate_failed' GROUP BY 1, 2"
        )
        for row in counted:
            self._require(row["times"] == 1, f"{row['action']} of {row['substrate_id']} happened {row['times']} times")

    def _compare_operation(self, was: Row | None, now: Row) -> None:
        if was is None:
            return
        who, identifier = self.registry.writer, now["id"]
        self._require(now["lease_number"] >= was["lease_number"], f"{identifier}: the lease's number went back")
        if who == "customer" or not _differs(was, now, WORKERS_COLUMNS):
            return
        is_free = was["lease_until"] is None or was["lease_until"] <= self.registry.time_of_writer
        takes = now["lease_number"] == was["lease_number"] + 1 and now["lease_owner"] == who and is_free
        followed = now["kind"] == Kind.REVOKE_KEY and now["status"] == "succeeded"
        self._require(
            takes or followed or was["lease_owner"] == who,
            f"{identifier}: {who} wrote without the lease, which {was['lease_owner']} has",
        )
        self._require(was["status"] not in ENDED, f"{identifier}: {who} changed what had ended as {was['status']}")

    def _compare_substrate(self, was: Row | None, now: Row) -> None:
        if was is None or was == now:
            return
        who = self.registry.writer
        held = [
            row for row in self.operations.values() if row["substrate_id"] == now["id"] and row["lease_owner"] == who
        ]
        # Whoever halts the server of a failed start has no operation to hold; it notes what it saw, and moves nothing.
        halted = was["status"] == now["status"] == "failed" and now["observed"] == "absent"
        self._require(
            who == "customer" or halted or bool(held), f"{now['id']}: {who} moved it to {now} without a lease"
        )
        if was["status"] == now["status"]:
            return
        self._require(was["status"] != "deleted", f"{now['id']} came back from the dead as {now['status']}")
        if was["status"] == "deleting":
            self._require(now["status"] == "deleted", f"{now['id']}: something beat its deletion: {now['status']}")
        if now["status"] == "deleted":
            left = self.ground.places.get(now["id"])
            self._require(left is None or not left.made, f"{now['id']} is called deleted and its folders are there")

    def _compare_policy(self, was: Row | None, now: Row) -> None:
        order = (now["acknowledged_epoch"], now["acknowledged_generation"])
        before = (was["acknowledged_epoch"], was["acknowledged_generation"]) if was is not None else (0, 0)
        self._require(order >= before, f"{now['substrate_id']}: the acknowledged policy went back to {order}")
        if was is not None:
            signed = (was["epoch"], was["generation"])
            self._require((now["epoch"], now["generation"]) >= signed, f"{now['substrate_id']}: an older policy won")
        if order == before:
            return
        substrate = SubstrateId(now["substrate_id"])
        place, server = self.ground.places.get(substrate), self.ground.server_of(substrate)
        if server is not None and server.running:
            self._require(server.enforced >= order, f"{substrate}: {order} acknowledged, {server.enforced} enforced")
        elif place is not None:
            self._require(place.policy >= order, f"{substrate}: {order} acknowledged, {place.policy} written")

    def _one_active_each(self, operations: dict[str, Row]) -> None:
        active = [
            row["substrate_id"]
            for row in operations.values()
            if row["status"] in {"queued", "running"} and row["kind"] != Kind.REVOKE_KEY
        ]
        self._require(len(active) == len(set(active)), f"two operations at a time: {active}")

    def _look_for_lost_rows(self, operations: dict[str, Row], substrates: dict[str, Row]) -> None:
        lost = (self.operations.keys() - operations.keys()) | (self.substrates.keys() - substrates.keys())
        self._require(not lost, f"rows are gone: {lost}")

    def _has_ended_well(self, row: Row) -> None:
        if row["status"] == "failed":
            error: dict[str, Any] = row["error"] or {}
            self._require(bool(error.get("code")), f"{row['id']} failed without a name")
        within = COURSES[Kind(row["kind"])].deadline + LATE_AFTER
        took = row["finished_at"] - (row["deadline_at"] - COURSES[Kind(row["kind"])].deadline)
        self._require(took <= within, f"{row['id']} ({row['kind']}) took {took}, its deadline was long over")

    def _host_agrees(self, substrate: SubstrateId, status: str) -> None:
        left = self.ground.left_of(substrate)
        if status == "deleted":
            self._require(not left, f"{substrate} is deleted and has left {left}")
        if status == "running":
            server, place = self.ground.server_of(substrate), self.ground.places.get(substrate)
            self._require(
                server is not None and server.running and place is not None,
                f"{substrate} should run and there is {left}",
            )
            self._require(place is None or place.edge, f"{substrate} should run and has no address")

    def _require(self, holds: bool, what: str) -> None:  # noqa: FBT001 - the condition itself
        if not holds and what not in self.found:
            self.found.append(what)
            self.faults.note("ORACLE", what)
            raise Broken(what)


def _differs(was: Row, now: Row, columns: tuple[str, ...]) -> bool:
    return any(was[column] != now[column] for column in columns)
