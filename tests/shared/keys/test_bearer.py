"""Reading the Authorization header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.keys.bearer import token_of
from shared.keys.probe import secret_for


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, ""),
        ("", ""),
        ("Bearer mmk_a", "mmk_a"),
        ("bearer  mmk_a ", "mmk_a"),
        ("BEARER mmk_a", "mmk_a"),
        ("mmk_a", "mmk_a"),
        ("Basic YTpi", ""),
        ("Bearer", ""),
    ],
)
def test_the_token_is_found_whatever_the_scheme_looks_like(header, token):
    assert token_of(header) == token


@given(st.text())
def test_any_header_gets_an_answer(header):
    assert token_of(header) in header


def test_a_probe_opens_one_policy_of_one_substrate():
    made = {
        secret_for(ring, substrate=substrate, epoch=epoch, generation=generation)
        for ring in (b"a" * 32, b"b" * 32)
        for substrate in ("sub_1", "sub_2")
        for epoch in (1, 2)
        for generation in (1, 2)
    }

    assert len(made) == 16
    assert all(secret.startswith("lpb_") for secret in made)
