"""How many may sign up on a local stack."""

import pytest

from deploy.local import programs, users
from deploy.local.settings import LocalSettings


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        ({"bind": "127.0.0.1 ::1"}, "1000"),
        ({"bind": "192.0.2.7"}, None),
        ({"bind": "192.0.2.7", "sign_ups_per_hour": 50}, "50"),
        ({"sign_ups_per_hour": 5}, "5"),
    ],
)
def test_a_stack_that_others_reach_takes_no_more_sign_ups_than_its_operator_says(settings, most, state_dir):
    me = users.own()
    local = LocalSettings(state_dir=state_dir, **settings)
    found = programs.own(local, programs.Users(me, me, me), programs.Tenancy(image="loam-tenant:1"))

    assert found[0].environment.get("CONTROL_PLANE_SIGN_UPS_PER_HOUR") == most
