"""Bring a substrate up: folders, policy, server, an answer at its address, then `running`.

Every step may be run twice and be cut anywhere; each one looks before it acts. Undoing is the work of
`destroy_substrate`, which must cope with a start that stopped anywhere. A step changes this host only while it holds
the substrate's lock, and only after it has seen, under the lock, that its lease still holds.
"""

from datetime import timedelta
from typing import Final

from provisioner.engine.outcome import Done, GiveUp, GoTo, Outcome, TryAgain, Wait
from provisioner.engine.program import Program, Turn
from provisioner.gateway_probe import Probed, Readiness
from provisioner.places.errors import PlaceGone
from provisioner.programs import carrying
from provisioner.programs.tools import Tools, note_observed, substrate_of
from provisioner.runtimes.runtime import CannotRun
from shared.contracts.operations import CHANNEL_POLICY, Kind
from shared.lifecycle.substrate import Event, Status
from shared.registry import audit, operations, policies, restrictions, substrates
from shared.registry.audit import Actor, ActorKind
from shared.registry.database import Tx
from shared.registry.operations import Failure, LeaseLost, Operation
from shared.registry.policies import StoredPolicy
from shared.registry.substrates import Observed, Substrate

LOOKS: Final = 50
LOOK_PAUSE: Final = timedelta(milliseconds=20)
"""A server needs half a second to open its socket; looking is one system call."""

ASK_PAUSE: Final = timedelta(milliseconds=50)

WORKER: Final = Actor(ActorKind.SYSTEM, "provisioner")


class ServerCannotStart(GiveUp):
    """The host lacks what every server is started from."""

    code = "server_cannot_start"
    public = "The host does not have what a memory server is started from."
    next_action = "Tell support the operation's id; nothing is wrong with your account."


async def make_folders(turn: Turn, tools: Tools) -> Outcome:
    """The tenant's folders, each with its owner; the one the gateway sees last."""
    spec = (await substrate_of(turn, tools)).spec
    await tools.places.make_lockable(spec)
    async with tools.places.locked(spec.substrate):
        try:
            await substrate_of(turn, tools)
        except LeaseLost:
            # A deletion may have ended between the two looks, and nobody comes after us.
            await tools.places.remove_skeleton(spec)
            raise
        await tools.places.make(spec)
    return GoTo("carry_policy")


async def carry_policy(turn: Turn, tools: Tools) -> Outcome:
    """What the server reads when it starts: whom to trust, its policy, its own spec."""
    try:
        async with tools.places.locked(turn.operation.substrate):
            substrate = await substrate_of(turn, tools)
            stored = await carrying.newest(substrate.id, tools)
            await tools.places.write_policy(substrate.spec, stored.jws, tools.keys.trust())
            await tools.places.write_spec(substrate.spec)
    except PlaceGone:
        return GoTo("make_folders")
    return GoTo("start_server")


async def start_server(turn: Turn, tools: Tools) -> Outcome:
    """One server of this generation."""
    try:
        await start_anew(turn, tools)
    except PlaceGone:
        return GoTo("make_folders")
    return GoTo("wait_until_ready")


async def wait_until_ready(turn: Turn, tools: Tools) -> Outcome:
    """Until an authenticated answer comes back from its address; then, at once, `running`."""
    substrate = await substrate_of(turn, tools)
    if substrate.status is not Status.PROVISIONING:
        return GoTo("apply_limits")
    stored = await carrying.newest(substrate.id, tools)
    probed = await probe(substrate, stored, tools)
    if probed.readiness is Readiness.READY:
        await _record_ready(turn, stored, tools)
        return GoTo("apply_limits")
    if not await tools.runtime.is_running(substrate.id):
        await start_anew(turn, tools)
        raise TryAgain("its server stopped and was started again")
    if probed.readiness is Readiness.REFUSED:
        # It enforces an older policy, or its probe's minute is over: handing the newest over again renews both.
        await carrying.renew(substrate.spec, stored, tools)
    return Wait(ASK_PAUSE, reason=probed.reason)


async def apply_limits(turn: Turn, tools: Tools) -> Outcome:
    """CPU too, now that the start has had all it could use."""
    async with tools.places.locked(turn.operation.substrate):
        spec = (await substrate_of(turn, tools)).spec
        await tools.runtime.apply_limits(tools.launch(spec))
    return Done()


async def start_anew(turn: Turn, tools: Tools) -> None:
    """Have its server run, under the lock.

    Raises:
        PlaceGone: it has no folders here.
    """
    async with tools.places.locked(turn.operation.substrate):
        spec = (await substrate_of(turn, tools)).spec
        await note_observed(turn, tools, Observed.UNKNOWN, spec.generation)
        try:
            await tools.runtime.ensure_running(tools.launch(spec))
        except CannotRun as error:
            raise ServerCannotStart(because=str(error)) from error


async def probe(substrate: Substrate, stored: StoredPolicy, tools: Tools) -> Probed:
    """What its address answers to the newest policy's probe."""
    for _ in range(LOOKS):
        if await tools.places.is_open(substrate.spec):
            break
        await tools.clock.sleep(LOOK_PAUSE)
    else:
        return Probed(Readiness.NOT_YET, "its server is starting")
    probed = Probed(Readiness.NOT_YET, "its server is starting")
    for token in tools.keys.probe_tokens(substrate.id, stored.order):
        probed = await tools.gateway.whoami(substrate.slug, token)
        if probed.readiness is not Readiness.REFUSED:
            break
    return probed


async def _record_ready(turn: Turn, stored: StoredPolicy, tools: Tools) -> None:
    """`running`, and the policy acknowledged: the probe that opened the door was derived from just that one."""
    now = tools.clock.now()
    async with tools.database.transaction() as tx:
        await operations.get_guarded(tx, turn.lease)
        await substrates.update_status(tx, stored.substrate, Event.BECAME_READY, now)
        await restrictions.settle(tx, stored.substrate, now)  # its policy says so already
        substrate = await substrates.get(tx, stored.substrate)
        await substrates.update_observed(tx, stored.substrate, Observed.RUNNING, substrate.generation)
        await policies.update_acknowledged(
            tx, stored.substrate, stored.order, now, next_push=carrying.next_push(stored.substrate, now)
        )
        if (await policies.get(tx, stored.substrate)).order != stored.order:
            # Signed while nobody was there to take it, so no push was planned; the server is there now.
            await policies.update_push_due(tx, stored.substrate, now)
        await audit.insert(tx, substrate.account, WORKER, "substrate_became_ready", now, substrate=substrate.id)
        await tx.notify(CHANNEL_POLICY, stored.substrate)


async def _mark_failed(tx: Tx, operation: Operation, failure: Failure, tools: Tools) -> None:
    """`failed`, so that Retry is offered; unless it has been running since before the trouble."""
    now = tools.clock.now()
    substrate = await substrates.claim(tx, operation.substrate)
    if substrate.status is Status.PROVISIONING:
        await substrates.update_status(tx, substrate.id, Event.GAVE_UP, now, reason=failure.code)
        await audit.insert(
            tx, operation.account, WORKER, "substrate_failed", now, substrate=substrate.id, code=failure.code
        )


PROGRAM: Final[Program[Tools]] = Program(
    kind=Kind.START_SUBSTRATE,
    steps={
        "make_folders": make_folders,
        "carry_policy": carry_policy,
        "start_server": start_server,
        "wait_until_ready": wait_until_ready,
        "apply_limits": apply_limits,
    },
    on_give_up=_mark_failed,
)
