"""What a caller is told when a tenant's server cannot be reached. Nothing else runs here: nothing is needed."""

from pathlib import Path

import pytest
from litestar.testing import TestClient

from provisioner.runtimes.runtime import RuntimeAway
from provisioner.waker.app import create
from provisioner.waker.desk import Desk
from provisioner.waker.wakes import Wakes
from shared.contracts.policy import Ended
from shared.contracts.state_folder import StateFolder, TenantFolders
from shared.kernel.clock import to_ms
from shared.kernel.ids import Slug, SubstrateId
from shared.keys import format as key_format
from tests.support.clock import NOON, ManualClock
from tests.support.policies import HOST, OTHER_SEED, PROBE, SLUG, SUBSTRATE, PolicyBuilder, grant, trust_json


@pytest.fixture
def place(state_dir: Path) -> TenantFolders:
    state = StateFolder(state_dir)
    folders = state.tenant(SubstrateId(SUBSTRATE), Slug(SLUG))
    folders.host.mkdir(parents=True)
    state.slugs.mkdir()
    (state.slugs / SLUG).write_text(SUBSTRATE)
    folders.trust.write_bytes(trust_json())
    return folders


@pytest.fixture
def builder(place: TenantFolders) -> PolicyBuilder:
    made = PolicyBuilder.with_key()
    place.policy.write_text(made.signed())
    return made


@pytest.fixture
def waker(state_dir: Path, place: TenantFolders) -> TestClient:
    """A waker on a host where no server can be started: all that it does is decide."""
    clock = ManualClock()

    async def fails(_slug: Slug) -> None:
        raise RuntimeAway("there is no engine")

    wakes = Wakes(fails, fails, clock, most=1, waiting=1)
    return TestClient(create(Desk(StateFolder(state_dir), "loam.localhost", clock), wakes))


def ask(waker: TestClient, key: str | None = None, *, host: str = HOST, path: str = "/wake", method: str = "GET"):
    headers = {"Host": "waker", "X-Forwarded-Host": host} | (
        {"Authorization": f"Bearer {key}"} if key is not None else {}
    )
    return waker.request(method, path, headers=headers)


def told(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_good_key_of_a_server_that_is_down_is_asked_to_come_back(waker, builder: PolicyBuilder) -> None:
    answer = ask(waker, builder.key)

    assert told(answer) == (503, "instance_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", ["/", "/wake", "/v1/atoms/some.name", "/mcp"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_every_path_and_method_is_answered(waker, builder: PolicyBuilder, path: str, method: str) -> None:
    assert told(ask(waker, builder.key, path=path, method=method)) == (503, "instance_unavailable")


@pytest.mark.parametrize(
    "host",
    [
        "bbbbbbbbbb.loam.localhost",
        "app.loam.localhost",
        "loam.localhost",
        f"{SLUG}.loam.localhost.example.org",
        f"x.{SLUG}.loam.localhost",
        "../../../etc.loam.localhost",
        "..%2f..%2fetc.loam.localhost",
        f"{SLUG}xloam.localhost",
        "1",
    ],
)
def test_an_address_that_is_nobodys_is_not_found_whatever_the_key(waker, builder: PolicyBuilder, host: str) -> None:
    assert told(ask(waker, builder.key, host=host)) == (404, "unknown_instance")
    assert told(ask(waker, host=host)) == (404, "unknown_instance")


@pytest.mark.parametrize("host", [f"{HOST}:8443", HOST.upper(), f"{HOST}."])
def test_the_same_address_in_other_spellings_is_found(waker, builder: PolicyBuilder, host: str) -> None:
    assert told(ask(waker, builder.key, host=host)) == (503, "instance_unavailable")


def test_the_host_itself_is_read_when_no_gateway_has_added_its_word(waker, builder: PolicyBuilder) -> None:
    answer = waker.get("/wake", headers={"Host": HOST})

    assert told(answer) == (401, "key_missing")


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "key_missing"),
        ("${LOAM_API_KEY}", "key_unexpanded"),
        ("mmk_short", "key_malformed"),
        ("mmk_" + "a" * 38, "key_checksum_wrong"),
        (key_format.mint(), "key_unknown"),
        ("lpb_" + "f" * 64, "key_malformed"),
    ],
)
def test_a_bad_key_gets_the_sentence_that_the_server_itself_would_say(
    waker, builder: PolicyBuilder, key: str | None, code: str
) -> None:
    answer = ask(waker, key)

    assert told(answer) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="loam"')
    assert answer.json()["next_action"]


def test_ended_keys_are_told_what_happened(waker, place: TenantFolders) -> None:
    revoked, expired = key_format.mint(), key_format.mint()
    past = to_ms(NOON) - 1000
    keys = (
        grant(revoked, ended=Ended.REVOKED, ended_at_ms=past),
        grant(expired, key_id="key_2", not_after_ms=past),
    )
    place.policy.write_text(PolicyBuilder().changed(keys=keys).signed())

    assert told(ask(waker, revoked)) == (401, "key_revoked")
    assert told(ask(waker, expired)) == (401, "key_expired")


def test_a_key_is_refused_as_soon_as_the_policy_without_it_is_on_disk(
    waker, place: TenantFolders, builder: PolicyBuilder
) -> None:
    assert told(ask(waker, builder.key)) == (503, "instance_unavailable")
    fresh = place.policy.with_name("fresh")
    fresh.write_text(builder.next(keys=()).signed())

    fresh.replace(place.policy)

    assert told(ask(waker, builder.key)) == (401, "key_unknown")


def test_a_policy_that_nobody_trusted_has_signed_opens_nothing(waker, place: TenantFolders) -> None:
    forged = PolicyBuilder.with_key()
    place.policy.write_text(forged.signed(OTHER_SEED))

    assert told(ask(waker, forged.key)) == (503, "instance_unavailable")
    assert told(ask(waker)) == (503, "instance_unavailable")


def test_the_hosts_own_probe_is_told_that_nobody_is_there(waker, builder: PolicyBuilder) -> None:
    assert told(ask(waker, PROBE)) == (503, "instance_unavailable")


def test_a_deleted_instance_is_the_same_as_one_that_never_was(waker, builder: PolicyBuilder, state_dir: Path) -> None:
    (StateFolder(state_dir).slugs / SLUG).unlink()

    deleted, never = ask(waker, builder.key), ask(waker, builder.key, host="bbbbbbbbbb.loam.localhost")

    assert deleted.json() == never.json()


@pytest.mark.parametrize("content", ["", "../../etc", "sub_../x", "x" * 200, "sub_a\n../b"])
def test_a_slugs_file_that_is_damaged_leads_nowhere(
    waker, builder: PolicyBuilder, state_dir: Path, content: str
) -> None:
    (StateFolder(state_dir).slugs / SLUG).write_text(content)

    assert told(ask(waker, builder.key)) == (404, "unknown_instance")


def test_a_planted_symlink_is_not_read(waker, place: TenantFolders, builder: PolicyBuilder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "policy"
    elsewhere.write_text(builder.signed())
    place.policy.unlink()
    place.policy.symlink_to(elsewhere)

    assert told(ask(waker, builder.key)) == (503, "instance_unavailable")


def test_keys_are_not_logged(waker, builder: PolicyBuilder, caplog: pytest.LogCaptureFixture, capsys) -> None:
    ask(waker, builder.key)
    ask(waker, key_format.mint())

    said = caplog.text + "".join(capsys.readouterr())
    assert "mmk_" not in said
