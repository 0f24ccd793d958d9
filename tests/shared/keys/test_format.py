"""The text of a key: what is a key, and what is refused before anything is looked up."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.keys import format as key_format
from shared.keys.format import BASE62, Flaw, checksum, digest, flaw_of, mint, shown

bodies = st.text(alphabet=BASE62, min_size=32, max_size=32).map(lambda body: "mmk_" + body)
keys = bodies.map(lambda body: body + checksum(body))


def slow_checksum(text: str) -> str:
    """CRC-32 bit by bit (ISO 3309), then digits by dividing: nothing shared with the code under test."""
    crc = 0xFFFFFFFF
    for byte in text.encode():
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    return "".join(digits[crc // 62**place % 62] for place in reversed(range(6)))


def test_a_minted_key_is_one():
    key = mint()

    assert flaw_of(key) is None
    assert len(key) == key_format.LENGTH == 42
    assert shown(key) == key[:8]
    assert mint() != key


@given(bodies)
def test_the_checksum_is_what_the_description_says(body):
    assert checksum(body) == slow_checksum(body)


@given(keys, st.integers(4, 41), st.sampled_from(BASE62))
def test_one_wrong_character_is_always_found(key, place, character):
    assume(key[place] != character)

    assert flaw_of(key[:place] + character + key[place + 1 :]) is Flaw.CHECKSUM


@given(keys, st.integers(4, 40))
def test_two_neighbours_swapped_are_always_found(key, place):
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    assume(swapped != key)

    assert flaw_of(swapped) is Flaw.CHECKSUM


@given(keys, st.integers(0, 41))
def test_a_key_that_was_cut_is_found(key, length):
    assert flaw_of(key[:length]) in {Flaw.MISSING, Flaw.MALFORMED}


@pytest.mark.parametrize("text", ["$LOAM_API_KEY", "${LOAM_API_KEY}", "${env:LOAM_API_KEY}", "%LOAM_API_KEY%", "{key}"])
def test_a_variable_that_was_not_replaced_is_told_apart(text):
    assert flaw_of(text) is Flaw.UNEXPANDED


@given(st.text())
def test_any_text_gets_a_verdict_and_no_failure(text):
    if flaw_of(text) is None:
        assert text.startswith("mmk_")
    assert len(digest(text)) == 64


@given(st.text(st.characters(), min_size=1))
def test_letters_of_other_scripts_are_no_base62(text):
    assume(not set(text) <= set(BASE62))

    assert flaw_of(("mmk_" + text * 42)[:42]) is not None
