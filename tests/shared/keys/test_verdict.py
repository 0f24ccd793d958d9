"""Who is let in, moment by moment."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.policy import Ended, KeyGrant, Limits, Mode, Policy, Scope
from shared.kernel.clock import MILLISECOND, to_ms
from shared.keys.format import checksum, digest, mint
from shared.keys.verdict import (
    FLAWS,
    KeyChecksumWrong,
    KeyExpired,
    KeyMalformed,
    KeyMissing,
    KeyNotYetValid,
    KeyRefused,
    KeyRevoked,
    KeyRotated,
    KeyTable,
    KeyUnexpanded,
    KeyUnknown,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def grant(key, **more):
    return KeyGrant(
        **{
            "key_id": "key_1",
            "name": "laptop",
            "digest": digest(key),
            "scopes": (Scope.READ,),
            "not_before_ms": to_ms(NOW),
            **more,
        }
    )


def table(*grants):
    policy = Policy(
        substrate="sub_1",
        slug="abcdefghij",
        hosts=("abcdefghij.loam.localhost",),
        instance_url="https://abcdefghij.loam.localhost",
        epoch=1,
        generation=1,
        issued_at_ms=to_ms(NOW),
        mode=Mode.RUNNING,
        plan="starter",
        limits=Limits(atoms=1, atom_bytes=1, storage_bytes=1),
        keys=grants,
    )
    return KeyTable.of(policy)


def test_a_key_of_the_instance_is_let_in():
    key = mint()

    assert table(grant(mint()), grant(key, name="phone")).admit(key, NOW).name == "phone"


@pytest.mark.parametrize(
    ("presented", "refusal"),
    [
        ("", KeyMissing),
        ("${LOAM_API_KEY}", KeyUnexpanded),
        ("hunter2", KeyMalformed),
        ("mmk_" + "a" * 38, KeyChecksumWrong),
        ("mmk_" + "a" * 32 + checksum("mmk_" + "a" * 32), KeyUnknown),
    ],
)
def test_every_refusal_says_what_to_do(presented, refusal):
    with pytest.raises(refusal) as refused:
        table(grant(mint())).admit(presented, NOW)

    assert refused.value.status == 401
    assert refused.value.next_step
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_only_a_request_without_a_key_is_challenged_without_an_error():
    assert "error" not in KeyMissing().headers["WWW-Authenticate"]
    assert 'error="invalid_token"' in KeyUnknown().headers["WWW-Authenticate"]


def test_a_key_works_up_to_its_end_and_not_a_millisecond_longer():
    key = mint()
    found = table(grant(key, not_after_ms=to_ms(NOW + HOUR)))

    assert found.admit(key, NOW + HOUR - MILLISECOND)
    with pytest.raises(KeyExpired):
        found.admit(key, NOW + HOUR)


def test_a_key_does_not_work_before_its_time():
    key = mint()

    with pytest.raises(KeyNotYetValid):
        table(grant(key)).admit(key, NOW - MILLISECOND)


@pytest.mark.parametrize(("ended", "refusal"), [(Ended.REVOKED, KeyRevoked), (Ended.ROTATED, KeyRotated)])
def test_a_key_that_was_ended_is_told_what_happened(ended, refusal):
    key = mint()
    found = table(grant(key, ended=ended, ended_at_ms=to_ms(NOW + HOUR)))

    assert found.admit(key, NOW + HOUR - MILLISECOND)
    with pytest.raises(refusal):
        found.admit(key, NOW + HOUR)


def test_every_flaw_has_its_refusal():
    for flaw, refusal in FLAWS.items():
        assert refusal().code == f"key_{'checksum_wrong' if flaw == 'checksum' else flaw.value}"


moments = st.integers(-10_000, 10_000).map(lambda ms: NOW + ms * MILLISECOND)


@given(
    st.none() | moments.map(to_ms),
    st.sampled_from([None, *Ended]),
    moments.map(to_ms),
    moments,
    st.integers(0, 10_000).map(lambda ms: ms * MILLISECOND),
)
def test_what_has_ended_never_works_again(not_after, ended, ended_at, moment, later):
    key = mint()
    found = table(grant(key, not_before_ms=0, not_after_ms=not_after, ended=ended, ended_at_ms=ended and ended_at))
    try:
        found.admit(key, moment)
    except KeyRefused:
        with pytest.raises(KeyRefused):
            found.admit(key, moment + later)
