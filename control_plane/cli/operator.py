"""`loam operator`: what the operator of this machine does to subscriptions and substrates, without an account.

It acts on the database directly, with the key ring of this machine, as the control plane would.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec

import click
from pydantic import SecretStr

from control_plane.actions.cancel_subscription import SubscriptionNow
from control_plane.actions.read_substrate import SubstrateNow
from control_plane.actions.restrict_substrate import (
    CLOCKS,
    lift_restriction,
    restrict_substrate,
    resume_substrate,
    suspend_substrate,
)
from control_plane.actions.settle_account import mark_paid, mark_past_due
from control_plane.actions.tools import Tools
from control_plane.cli.connection import Connection
from control_plane.cli.shown import Answer, command
from control_plane.settings import ControlPlaneSettings
from control_plane.wiring import connected
from deploy.local import postgres, redis
from deploy.local.settings import LocalSettings
from shared.kernel.clock import iso
from shared.kernel.ids import SubscriptionId, SubstrateId
from shared.lifecycle.substrate import Reason
from shared.registry.audit import Actor, ActorKind

P = ParamSpec("P")

REASONS = click.Choice([reason.value for reason in Reason if reason not in CLOCKS])


@click.group()
def operator() -> None:
    """For the operator of this machine: no account is needed, only the right to read its key ring."""


def _acting(
    act: Callable[Concatenate[Tools, Actor, P], Awaitable[dict[str, Any]]],
) -> Callable[Concatenate[Connection, Answer, P], None]:
    """A command that acts on this machine's registry, and shows what became of it."""

    def run(connection: Connection, answer: Answer, /, *arguments: P.args, **options: P.kwargs) -> None:
        async def do() -> dict[str, Any]:
            async with connected(_settings_of(connection.settings)) as tools:
                return await act(tools, Actor(ActorKind.STAFF, f"operator:{getpass.getuser()}"), *arguments, **options)

        found = asyncio.run(do())
        if not answer.data(found):
            answer.facts(found)

    run.__name__, run.__doc__ = act.__name__, act.__doc__  # what `--help` says
    return run


@operator.command(name="past-due")
@click.argument("subscription")
@command
@_acting
async def past_due(tools: Tools, actor: Actor, subscription: str) -> dict[str, Any]:
    """Mark a subscription as unpaid: seven days with a warning, then read-only."""
    return _subscription(await mark_past_due(tools, actor, SubscriptionId(subscription)))


@operator.command()
@click.argument("subscription")
@command
@_acting
async def paid(tools: Tools, actor: Actor, subscription: str) -> dict[str, Any]:
    """Mark a subscription as paid for another month."""
    return _subscription(await mark_paid(tools, actor, SubscriptionId(subscription)))


@operator.command()
@click.argument("substrate")
@command
@_acting
async def suspend(tools: Tools, actor: Actor, substrate: str) -> dict[str, Any]:
    """Nothing but exporting, erasing and changing keys."""
    return _substrate(await suspend_substrate(tools, actor, SubstrateId(substrate)))


@operator.command()
@click.argument("substrate")
@command
@_acting
async def resume(tools: Tools, actor: Actor, substrate: str) -> dict[str, Any]:
    """No longer suspended."""
    return _substrate(await resume_substrate(tools, actor, SubstrateId(substrate)))


@operator.command(name="read-only")
@click.argument("substrate")
@click.option("--reason", type=REASONS, default=Reason.SUPPORT.value, show_default=True)
@command
@_acting
async def read_only(tools: Tools, actor: Actor, substrate: str, reason: str) -> dict[str, Any]:
    """One more reason to be read-only."""
    return _substrate(await restrict_substrate(tools, actor, SubstrateId(substrate), Reason(reason)))


@operator.command()
@click.argument("substrate")
@click.option("--reason", type=REASONS, default=Reason.SUPPORT.value, show_default=True)
@command
@_acting
async def lift(tools: Tools, actor: Actor, substrate: str, reason: str) -> dict[str, Any]:
    """One reason less; others keep holding."""
    return _substrate(await lift_restriction(tools, actor, SubstrateId(substrate), Reason(reason)))


def _subscription(found: SubscriptionNow) -> dict[str, Any]:
    coming = {one.what.value: iso(one.at) for one in found.coming}
    return {"subscription": found.row.id, "state": found.row.state.value, **coming}


def _substrate(found: SubstrateNow) -> dict[str, Any]:
    return {
        "substrate": found.row.id,
        "status": found.row.status.value,
        "restrictions": ", ".join(one.reason.value for one in found.restrictions),
    }


def _settings_of(local: LocalSettings) -> ControlPlaneSettings:
    """As the stack starts its control plane with."""
    return ControlPlaneSettings(
        registry_url=SecretStr(postgres.url(local)),
        broker_url=SecretStr(redis.url(local)),
        state_dir=local.root,
        domain=local.domain,
        https_port=local.https_port,
    )
