"""The signature on a policy: what is accepted, and all that is not."""

import base64
import binascii

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.policy import KeyGrant, Limits, Mode, Policy, Probe, Scope, Trust
from shared.contracts.signed_policy import (
    MAX_BYTES,
    TYPE,
    PolicyRefused,
    PolicyTooLarge,
    sign,
    trusted_key,
    verify,
    verify_for,
)

SEED, OTHER = b"s" * 32, b"o" * 32
TRUST = Trust(keys=(trusted_key(key_id="1", seed=SEED),))

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
moments = st.integers(0, 2**53)
grants = st.builds(
    KeyGrant,
    key_id=texts,
    name=texts,
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    scopes=st.lists(st.sampled_from(Scope), unique=True).map(tuple),
    namespaces=st.none() | st.lists(texts).map(tuple),
    not_before_ms=moments,
    not_after_ms=st.none() | moments,
)
policies = st.builds(
    Policy,
    substrate=texts,
    slug=texts,
    hosts=st.lists(texts).map(tuple),
    instance_url=texts,
    epoch=st.integers(1, 100),
    generation=st.integers(1, 100),
    issued_at_ms=moments,
    mode=st.sampled_from(Mode),
    plan=texts,
    limits=st.builds(Limits, atoms=moments, atom_bytes=moments, storage_bytes=moments),
    keys=st.lists(grants, max_size=3).map(tuple),
    probe=st.none() | st.builds(Probe, digest=texts),
)


def policy(**more) -> Policy:
    return Policy(
        **{
            "substrate": "sub_1",
            "slug": "abcdefghij",
            "hosts": ("abcdefghij.loam.localhost",),
            "instance_url": "https://abcdefghij.loam.localhost",
            "epoch": 1,
            "generation": 5,
            "issued_at_ms": 0,
            "mode": Mode.RUNNING,
            "plan": "starter",
            "limits": Limits(atoms=1, atom_bytes=1, storage_bytes=1),
            **more,
        }
    )


@given(policies)
def test_what_was_signed_is_read_back_whole(found):
    assert verify(sign(found, key_id="1", seed=SEED), TRUST) == found


def test_two_keys_are_trusted_while_one_replaces_the_other():
    both = Trust(keys=(*TRUST.keys, trusted_key(key_id="2", seed=OTHER)))

    for key_id, seed in (("1", SEED), ("2", OTHER)):
        assert verify(sign(policy(), key_id=key_id, seed=seed), both)


def test_a_stranger_signs_nothing():
    for key_id in ("1", "2"):
        with pytest.raises(PolicyRefused):
            verify(sign(policy(), key_id=key_id, seed=OTHER), TRUST)


@given(st.data())
def test_a_policy_that_was_changed_anywhere_is_refused(data):
    jws = sign(policy(), key_id="1", seed=SEED)
    place = data.draw(st.integers(0, len(jws) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    changed = jws[:place] + letter + jws[place + 1 :]
    if _bytes(changed) == _bytes(jws):
        return  # the last letter of a part has bits that mean nothing

    with pytest.raises(PolicyRefused):
        verify(changed, TRUST)


def _bytes(jws: str) -> list[bytes]:
    """What the parts hold; nothing when one of them is no base64."""
    try:
        return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in jws.split(".")]
    except binascii.Error:
        return []


@given(st.text())
def test_rubbish_is_refused(text):
    with pytest.raises(PolicyRefused):
        verify(text, TRUST)


def test_a_signature_over_something_else_is_no_policy():
    private = Ed25519PrivateKey.from_private_bytes(SEED)
    for headers, payload in (
        ({"kid": "1", "typ": "JWT"}, b"{}"),
        ({"kid": "1", "typ": TYPE}, b"{}"),
        ({"kid": "1", "typ": TYPE}, b"not JSON"),
        ({"typ": TYPE}, b"{}"),
    ):
        with pytest.raises(PolicyRefused):
            verify(jwt.PyJWS(algorithms=["EdDSA"]).encode(payload, private, "EdDSA", headers), TRUST)


def test_no_other_algorithm_is_taken():
    public = TRUST.keys[0].ed25519
    for algorithm, key in (("none", None), ("HS256", public.encode())):
        with pytest.raises(PolicyRefused):
            verify(jwt.PyJWS().encode(b"{}", key, algorithm, {"kid": "1", "typ": TYPE}), TRUST)


def test_a_policy_of_a_later_kind_is_refused_rather_than_half_understood():
    with pytest.raises(PolicyRefused, match="version"):
        verify(sign(policy(version=2), key_id="1", seed=SEED), TRUST)


def test_a_policy_larger_than_any_can_be_is_not_even_read():
    with pytest.raises(PolicyRefused, match="larger"):
        verify("a" * (MAX_BYTES + 1), TRUST)


def test_another_substrates_policy_is_refused():
    with pytest.raises(PolicyRefused, match="another"):
        verify_for(sign(policy(), key_id="1", seed=SEED), TRUST, substrate="sub_2")


@given(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_an_older_policy_never_replaces_a_newer_one(offered, in_force):
    jws = sign(policy(epoch=offered[0], generation=offered[1]), key_id="1", seed=SEED)

    if offered < in_force:
        with pytest.raises(PolicyRefused, match="older"):
            verify_for(jws, TRUST, substrate="sub_1", newer_than=in_force)
    else:
        assert verify_for(jws, TRUST, substrate="sub_1", newer_than=in_force).order == offered


def test_a_trust_file_with_a_malformed_key_trusts_nobody():
    broken = Trust(keys=(type(TRUST.keys[0])(id="1", ed25519="???"),))

    with pytest.raises(PolicyRefused):
        verify(sign(policy(), key_id="1", seed=SEED), broken)


def test_a_policy_that_nobody_would_accept_is_not_signed():
    def named(length):
        return policy(instance_url="a" * length)

    with pytest.raises(PolicyTooLarge):
        sign(named(MAX_BYTES * 3 // 4), key_id="1", seed=SEED)
    largest = named(MAX_BYTES * 3 // 4 - 2048)
    assert verify(sign(largest, key_id="1", seed=SEED), TRUST) == largest
