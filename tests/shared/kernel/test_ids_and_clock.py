import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.clock import from_ms, iso, to_ms
from shared.kernel.ids import RandomIds


def test_an_id_says_what_it_names_and_a_slug_fits_a_host_name_pattern():
    ids = RandomIds()

    assert re.fullmatch(r"sub_[a-z2-7]{16}", ids.new("sub"))
    assert re.fullmatch(r"[a-z2-7]{10}", ids.slug())
    assert len({ids.slug() for _ in range(1000)}) == 1000


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_moment_survives_being_written_in_milliseconds(moment):
    assert abs(from_ms(to_ms(moment)) - moment) < timedelta(milliseconds=1)


def test_people_read_moments_in_utc_to_the_second():
    assert iso(datetime(2026, 11, 21, 9, 5, 1, 999, tzinfo=UTC)) == "2026-11-21T09:05:01Z"
