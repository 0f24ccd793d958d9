"""One spelling for every mail address."""

from datetime import UTC, datetime
from email import message_from_string
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.actions.addresses import AddressUnusable, normal
from control_plane.actions.key_rules import KeyNameUnfit, fit_name
from control_plane.actions.subscribe import a_month_after
from control_plane.gateways.mail import written

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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


@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?me=40evil.org=2c?=@victim.org",
        "=?utf-16?b?//4=?=@victim.org",
        "me@=?utf-8?q?evil?=.org",
        "me@evil.org,you@victim.org",
        '"me me"@victim.org',
        '"me"@victim.org',
        "me.@victim.org",
        ".me@victim.org",
        "m..e@victim.org",
        "me@victim.org.",
        "me@victim%evil.org",
        "me@[127.0.0.1]",
        f"me@{'a' * 64}.org",
        "me\n@victim.org",
    ],
)
def test_an_address_that_a_mail_program_would_read_otherwise_is_none(address):
    with pytest.raises(AddressUnusable):
        normal(address)


@given(st.text(st.characters(max_codepoint=0x24F), min_size=1), st.sampled_from(["example.org", "exämple.org"]))
def test_a_letter_is_written_to_the_address_that_is_kept_whatever_it_is(local, domain):
    try:
        address = normal(f"{local}@{domain}")
    except AddressUnusable:
        return

    letter = message_from_string(
        written(address, "Subject", "Text", sender="no-reply@example.org", now=NOW).decode(), policy=default
    )

    assert [found.addr_spec for found in letter["To"].addresses] == [address]


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
