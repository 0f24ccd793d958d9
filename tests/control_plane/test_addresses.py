"""One spelling for every mail address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.actions.addresses import AddressUnusable, normal
from control_plane.actions.key_rules import KeyNameUnfit, fit_name
from control_plane.actions.subscribe import a_month_after


@given(st.text())
def test_a_spelling_is_final(text):
    try:
        found = normal(text + "@example.org")
    except AddressUnusable:
        return
    assert normal(found) == found == found.lower()


@pytest.mark.parametrize(
    "address", ["a@b.co", "first.last+tag@sub.example.org", "ünï@exämple.org", "o'neil@example.org"]
)
def test_usual_addresses_are_taken(address):
    assert normal(address.upper()) == address


@given(st.text())
def test_a_name_is_as_it_is_shown(text):
    try:
        found = fit_name(text)
    except KeyNameUnfit:
        return
    assert fit_name(found) == found == found.strip()
    assert 1 <= len(found) <= 64


@given(st.datetimes())
def test_a_month_is_never_longer_than_31_days_nor_shorter_than_28(moment):
    if (moment.year, moment.month) < (9999, 12):
        assert 28 <= (a_month_after(moment) - moment).days <= 31
