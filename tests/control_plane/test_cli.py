"""The command `loam`, as customers and scripts use it."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result

from control_plane.cli.main import main
from shared.kernel.ids import SubstrateId
from shared.lifecycle.substrate import Event
from shared.registry import operations, substrates
from tests.control_plane.conftest import PASSWORD, Plane
from tests.support.waiting import until


@dataclass
class Terminal:
    """Somebody at a prompt."""

    environment: dict[str, str]
    folder: Path

    async def run(self, *words: str, typed: str = "") -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, list(words), input=typed, env=self.environment)

    async def json(self, *words: str, code: int = 0) -> Any:
        done = await self.run(*words, "--json")
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)


@pytest.fixture
async def terminal(plane: Plane, free_port: int, tmp_path: Path) -> AsyncIterator[Terminal]:
    config = uvicorn.Config(plane.app, host="127.0.0.1", port=free_port, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(until, lambda: server.started, what="the server")
    environment = {
        "LOAM_API_URL": f"http://127.0.0.1:{free_port}",
        "LOAM_STATE_DIR": str(tmp_path),
        "LOAM_TOKEN": None,
    }
    yield Terminal(environment, tmp_path)  # type: ignore[arg-type]  # None removes the variable
    server.should_exit = True
    await serving


@pytest.fixture
async def member(terminal: Terminal) -> Terminal:
    done = await terminal.run("account", "signup", "--email", "ada@example.org", "--password", PASSWORD)
    assert done.exit_code == 0, done.output
    return terminal


async def test_the_whole_way_from_sign_up_to_revocation(plane, member):
    subscribed = await member.json("subscribe", "starter", "--trial", "--no-wait")
    substrate = subscribed["substrate"]["id"]
    await plane.worker.start(subscribed)

    assert (await member.json("operations", "wait", subscribed["operation"]["id"]))["status"] == "succeeded"
    assert [one["id"] for one in (await member.json("substrates", "list"))["substrates"]] == [substrate]
    assert (await member.json("substrates", "show", substrate))["status"] == "running"
    claimed = await member.json("keys", "claim", substrate)
    assert claimed["secret"].startswith("mmk_")
    created = await member.json("keys", "create", substrate, "laptop", "--scope", "read")
    assert created["key"]["scopes"] == ["read"]
    rotated = await member.json("keys", "rotate", substrate, created["key"]["id"], "--grace", "0")
    assert rotated["secret"] != created["secret"]
    revoked = await member.json("keys", "revoke", substrate, created["key"]["id"])
    assert revoked["operation"]["kind"] == "revoke_key"
    keys = (await member.json("keys", "list", substrate))["keys"]
    assert [key["state"] for key in keys] == ["live", "revoked"]
    deleted = await member.json("substrates", "delete", substrate, "--yes")
    assert (deleted["kind"], deleted["status"]) == ("destroy_substrate", "queued")
    assert (await member.json("substrates", "undelete", substrate))["status"] == "running"
    slug = subscribed["substrate"]["slug"]
    erased = await member.json("substrates", "delete", substrate, "--now", "--confirm", slug, "--no-wait")
    assert erased["held_until"] is None
    assert (await member.json("substrates", "receipt", substrate, code=1))["error"]["code"] == "not_destroyed"


async def test_a_subscription_is_changed_canceled_and_resumed(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")
    await plane.worker.start(subscribed)
    name = subscribed["subscription"]["id"]

    changed = await member.json("subscriptions", "change", name, "pro", "--no-wait")
    canceled = await member.json("subscriptions", "cancel", name, "--yes")
    resumed = await member.json("subscriptions", "resume", name)

    assert changed["operation"]["kind"] == "change_plan"
    assert [one["what"] for one in canceled["coming"]] == ["read_only", "destroyed"]
    assert resumed["state"] == "active"
    assert [one["plan"] for one in (await member.json("subscriptions", "list"))["subscriptions"]] == ["pro"]
    for words in (("list",), ("cancel", name, "--yes"), ("resume", name)):
        assert (await member.run("subscriptions", *words)).exit_code == 0


async def test_people_are_shown_tables_and_the_secret_once(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")
    substrate = subscribed["substrate"]["id"]
    await plane.worker.start(subscribed)

    claim = await member.run("keys", "claim", substrate)
    shown = [
        await member.run("plans"),
        await member.run("substrates", "list"),
        await member.run("substrates", "show", substrate),
        await member.run("substrates", "connect", substrate, "--client", "cursor"),
        await member.run("keys", "list", substrate),
        await member.run("operations", "list", substrate),
        await member.run("operations", "show", subscribed["operation"]["id"]),
        await member.run("account", "whoami"),
    ]

    assert claim.exit_code == 0
    secret = next(word for word in claim.stdout.split() if word.startswith("mmk_"))
    assert "Shown this once" in claim.stdout
    for done in shown:
        assert done.exit_code == 0, done.output
        assert secret not in done.output


async def test_the_token_is_kept_for_this_user_only(member):
    kept = member.folder / "cli.json"

    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert (await member.json("account", "whoami"))["account"]["email"] == "ada@example.org"


async def test_a_token_from_the_environment_wins(member, customer):
    member.environment["LOAM_TOKEN"] = customer.token

    assert (await member.json("account", "whoami"))["account"]["email"] == customer.email


async def test_logging_out_ends_the_token_and_forgets_it(member):
    token = json.loads((member.folder / "cli.json").read_text())["token"]

    await member.json("account", "logout")

    assert (await member.json("account", "whoami", code=3))["error"]["code"] == "not_logged_in"
    member.environment["LOAM_TOKEN"] = token
    assert (await member.run("account", "whoami")).exit_code == 3


async def test_a_password_can_be_piped_in(member):
    done = await member.run("account", "login", "--email", "ada@example.org", "--password", "-", typed=f"{PASSWORD}\n")

    assert done.exit_code == 0, done.output


async def test_a_refusal_is_a_sentence_and_a_next_step(member):
    done = await member.run("subscribe", "gigantic")

    assert done.exit_code == 1
    assert "There is no plan “gigantic”." in done.stderr
    assert "Choose one" in done.stderr
    assert (await member.json("subscribe", "gigantic", code=1))["error"]["code"] == "unknown_plan"


async def test_an_api_that_does_not_answer_is_another_failure(terminal):
    terminal.environment["LOAM_API_URL"] = "http://127.0.0.1:1"

    assert (await terminal.json("plans", code=4))["error"]["code"] == "api_unreachable"
    assert "loam doctor" in (await terminal.run("plans")).stderr


async def test_an_operation_that_does_not_succeed_fails_the_command(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")
    await member.json("operations", "cancel", subscribed["operation"]["id"])

    found = await member.json("operations", "wait", subscribed["operation"]["id"], code=5)

    assert found["status"] == "canceled"
    assert (await member.json("operations", "retry", subscribed["operation"]["id"]))["status"] == "queued"


async def test_subscribing_waits_until_the_instance_is_ready(plane, member):
    async def work() -> None:
        await asyncio.to_thread(until, lambda: plane.doorbell.told, what="a nudge")
        operation = plane.doorbell.told[0][1]
        async with plane.tools.database.transaction() as tx:
            found = await operations.find(tx, operation)
        await plane.worker.start({"operation": {"id": operation}, "substrate": {"id": found.substrate}})

    working = asyncio.create_task(work())
    subscribed = await member.json("subscribe", "starter")
    await working

    assert subscribed["operation"]["status"] == "succeeded"
    assert subscribed["substrate"]["status"] == "running"


async def test_a_question_answered_with_no_deletes_nothing(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")

    done = await member.run("substrates", "delete", subscribed["substrate"]["id"], typed="n\n")

    assert done.exit_code == 1
    assert (await member.json("substrates", "show", subscribed["substrate"]["id"]))["status"] == "provisioning"


async def test_texts_from_outside_are_shown_as_they_are(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")
    substrate = subscribed["substrate"]["id"]
    await member.json("keys", "create", substrate, "[bold red]laptop[/]")

    assert "[bold red]laptop[/]" in (await member.run("keys", "list", substrate)).stdout


async def test_a_substrate_without_keys_says_so(plane, member):
    subscribed = await member.json("subscribe", "starter", "--no-wait")
    substrate = SubstrateId(subscribed["substrate"]["id"])
    async with plane.tools.database.transaction() as tx:
        await tx.run("DELETE FROM api_key")
        await substrates.update_status(tx, substrate, Event.DELETION_ASKED, plane.clock.now())

    assert (await member.run("keys", "claim", substrate)).exit_code == 2
