"""Sealed until its owner takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.secret_files import Secret
from shared.keys.sealing import CannotOpen, seal, unseal

OLD, NEW = Secret("1", b"a" * 32), Secret("2", b"b" * 32)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_is_opened(secret):
    assert unseal(seal(secret, OLD, record="sec_1"), "1", [NEW, OLD], record="sec_1") == secret


def test_the_sealed_copy_shows_nothing_and_is_never_the_same():
    first, second = seal("mmk_secret", OLD, record="sec_1"), seal("mmk_secret", OLD, record="sec_1")

    assert first != second
    assert b"mmk_" not in first


def test_a_copy_that_was_moved_to_another_record_does_not_open():
    with pytest.raises(CannotOpen):
        unseal(seal("mmk_secret", OLD, record="sec_1"), "1", [OLD], record="sec_2")


def test_a_ring_that_has_lost_the_key_does_not_open_it():
    with pytest.raises(CannotOpen):
        unseal(seal("mmk_secret", OLD, record="sec_1"), "1", [NEW], record="sec_1")


@given(st.data())
def test_a_copy_that_was_changed_anywhere_does_not_open(data):
    sealed = bytearray(seal("mmk_secret", OLD, record="sec_1"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))

    with pytest.raises(CannotOpen):
        unseal(bytes(sealed), "1", [OLD], record="sec_1")


@given(st.binary(max_size=60))
def test_rubbish_does_not_open(rubbish):
    with pytest.raises(CannotOpen):
        unseal(rubbish, "1", [OLD], record="sec_1")
