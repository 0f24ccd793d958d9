"""The command `loam`, as customers and scripts use it."""

import asyncio
import datetime as dt
import json
import os
import signal
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from control_plane.cli.connection import Connection
from control_plane.cli.main import main
from shared.kernel.clock import SystemClock
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
async def gateway_of_a_stranger(tmp_path: Path) -> AsyncIterator[str]:
    """An address whose certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = SystemClock().now()
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "stranger.pem"
    certificate = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file.write_bytes(certificate + key.private_bytes(*plain))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


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
    revoked = await member.json("keys", "revoke", substrate, "laptop", "--yes")
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
    assert "`loam plans`" in done.stderr
    assert (await member.json("subscribe", "gigantic", code=1))["error"]["code"] == "unknown_plan"


async def test_an_api_that_does_not_answer_is_another_failure(terminal):
    terminal.environment["LOAM_API_URL"] = "http://127.0.0.1:1"

    assert (await terminal.json("plans", code=4))["error"]["code"] == "api_unreachable"
    assert "LOAM_API_URL" in (await terminal.run("plans")).stderr
    terminal.environment.update(LOAM_API_URL="", LOAM_HTTPS_PORT="1")
    assert "`loam up`" in (await terminal.run("plans")).stderr


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


LOAM = str(Path(sys.executable).parent / "loam")


async def interrupted(terminal: Terminal, *words: str, once: Callable[[str], bool]) -> tuple[int, str]:
    """How a command ends, and what it says, when Ctrl-C comes once it has said something."""
    variables = {**os.environ, **{name: value for name, value in terminal.environment.items() if value is not None}}
    process = await asyncio.create_subprocess_exec(
        LOAM, *words, env=variables, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    said = ""
    while not once(said):
        line = await asyncio.wait_for(process.stderr.readline(), 20)
        assert line, said
        said += line.decode()
    process.send_signal(signal.SIGINT)
    said += (await asyncio.wait_for(process.stderr.read(), 20)).decode()
    return await process.wait(), said


async def test_ctrl_c_while_a_subscription_is_watched_says_that_it_goes_on(plane, member):
    code, said = await interrupted(member, "subscribe", "starter", once=lambda said: "is being made" in said)

    (substrate,) = (await member.json("substrates", "list"))["substrates"]
    assert code == 130
    assert f"Not watching any more. {substrate['id']} is still being made" in said
    assert f"`loam operations wait {substrate['operation_id']}`" in said


async def test_ctrl_c_while_a_deletion_is_watched_says_that_it_goes_on(plane, member):
    substrate = (await member.json("subscribe", "starter", "--no-wait"))["substrate"]["id"]

    code, said = await interrupted(
        member, "substrates", "delete", substrate, "--yes", once=lambda said: "is being erased" in said
    )

    assert code == 130
    assert f"{substrate} is still being erased; `loam operations wait op_" in said


async def test_ctrl_c_before_the_answer_says_how_to_ask_again_without_paying_twice(plane, member, monkeypatch):
    real = Connection.call

    def cut_off(self: Connection, method: str, path: str, **more: Any) -> Any:
        real(self, method, path, **more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "call", cut_off)
        done = await member.run("subscribe", "starter")
    command = done.stderr.split("`loam ")[1].split("`")[0].split()
    again = await member.json(*command, "--no-wait")

    assert done.exit_code == 130
    (only,) = (await member.json("substrates", "list"))["substrates"]
    assert again["substrate"]["id"] == only["id"]


async def test_watching_too_short_says_that_the_work_goes_on(plane, member):
    done = await member.run("subscribe", "starter", "--timeout", "0")

    assert done.exit_code == 5
    assert "Still queued after 0 s; it goes on without you: `loam operations wait op_" in done.stdout


async def test_whoever_is_not_logged_in_is_told_the_command(terminal):
    done = await terminal.run("substrates", "list")

    assert done.exit_code == 3
    assert "`loam account login`" in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("--scope", "everything"), "is not one of"), (("--expires-at", "soon"), "“soon” is no moment")],
)
async def test_options_of_a_wrong_form_are_refused_before_anything_is_asked(terminal, words, expected):
    done = await terminal.run("keys", "create", "sub_a", "laptop", *words)

    assert done.exit_code == 2
    assert expected in done.stderr


async def test_keys_are_known_by_name_and_unknown_ones_are_named(plane, member):
    substrate = (await member.json("subscribe", "starter", "--no-wait"))["substrate"]["id"]
    await member.json("keys", "create", substrate, "laptop", "--expires-at", "2030-01-31")

    rotated = await member.run("keys", "rotate", substrate, "laptop", "--grace", "0")
    unknown = await member.run("keys", "rotate", substrate, "desktop")

    assert "The old secret is refused from now on." in rotated.stdout, rotated.output
    assert unknown.exit_code == 1
    assert "There is no key “desktop”." in unknown.stderr
    assert f"`loam keys list {substrate}`" in unknown.stderr


async def test_revoking_asks_first(plane, member):
    substrate = (await member.json("subscribe", "starter", "--no-wait"))["substrate"]["id"]
    await member.json("keys", "create", substrate, "laptop")

    done = await member.run("keys", "revoke", substrate, "laptop", typed="n\n")

    assert done.exit_code == 1
    assert "revoked" not in {key["state"] for key in (await member.json("keys", "list", substrate))["keys"]}


async def test_a_certificate_that_is_not_trusted_is_told_as_that(terminal, gateway_of_a_stranger):
    terminal.environment["LOAM_API_URL"] = gateway_of_a_stranger

    found = await terminal.json("plans", code=4)

    assert found["error"]["code"] == "certificate_untrusted"
    assert "SSL_CERT_FILE" in found["error"]["next_action"]
