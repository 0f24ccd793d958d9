"""The tables of states, walked beside the promises they must keep."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.modes import ALLOWED, SCOPE_FOR, Action, allows
from shared.contracts.policy import DEFAULT_SCOPES, Mode, Scope
from shared.lifecycle import api_key, operation, subscription, substrate
from shared.lifecycle.transitions import TransitionRefused

MACHINES = {
    "substrate": (substrate.Status, substrate.Event, substrate.TABLE, substrate.after),
    "subscription": (subscription.State, subscription.Event, subscription.TABLE, subscription.after),
    "API key": (api_key.State, api_key.Event, api_key.TABLE, api_key.after),
    "operation": (operation.Status, operation.Event, operation.TABLE, operation.after),
}


def walked(after, state: StrEnum, events: list) -> list:
    """Every state on the way; what is refused changes nothing."""
    way = [state]
    for event in events:
        try:
            way.append(after(way[-1], event))
        except TransitionRefused:
            way.append(way[-1])
    return way


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_has_a_row_and_every_event_leads_somewhere(name):
    states, events, table, _ = MACHINES[name]

    assert set(table) == set(states)
    assert {event for row in table.values() for event in row} == set(events)


@pytest.mark.parametrize("name", MACHINES)
def test_every_state_can_be_reached(name):
    states, _, table, _ = MACHINES[name]
    reached = {next(iter(states))}
    while more := {becomes for state in reached for becomes in table[state].values()} - reached:
        reached |= more

    starts = {"subscription": {subscription.State.ACTIVE}, "API key": {api_key.State.LIVE}}.get(name, set())
    assert reached | starts == set(states)


@pytest.mark.parametrize("name", MACHINES)
def test_every_cell_does_what_the_table_says(name):
    states, events, table, after = MACHINES[name]
    for state in states:
        for event in events:
            if event in table[state]:
                assert after(state, event) is table[state][event]
            else:
                with pytest.raises(TransitionRefused) as refused:
                    after(state, event)
                assert state.value in refused.value.detail


@given(st.lists(st.sampled_from(substrate.Event)))
def test_nothing_brings_a_deleted_substrate_back(events):
    way = walked(substrate.after, substrate.Status.DELETED, events)

    assert set(way) == {substrate.Status.DELETED}


@given(st.lists(st.sampled_from(substrate.Event)))
def test_a_substrate_that_is_being_deleted_only_ever_goes(events):
    way = walked(substrate.after, substrate.Status.DELETING, events)

    assert set(way) <= {substrate.Status.DELETING, substrate.Status.DELETED}


@given(st.sampled_from(substrate.Status), st.lists(st.sampled_from(substrate.Event)))
def test_every_substrate_that_is_there_can_be_deleted(status, events):
    last = walked(substrate.after, status, events)[-1]

    if last not in {substrate.Status.DELETING, substrate.Status.DELETED}:
        assert substrate.after(last, substrate.Event.DELETION_ASKED) is substrate.Status.DELETING


@given(st.lists(st.sampled_from(api_key.Event)))
def test_nothing_brings_a_revoked_key_back(events):
    way = walked(api_key.after, api_key.State.UNCLAIMED, [api_key.Event.REVOKED, *events])

    assert set(way[1:]) == {api_key.State.REVOKED}


@given(st.sampled_from(api_key.State))
def test_every_key_can_be_revoked_once(state):
    if state is not api_key.State.REVOKED:
        assert api_key.after(state, api_key.Event.REVOKED) is api_key.State.REVOKED


@given(st.lists(st.sampled_from(subscription.Event)))
def test_a_subscription_that_has_ended_stays_so(events):
    assert set(walked(subscription.after, subscription.State.ENDED, events)) == {subscription.State.ENDED}


@given(st.lists(st.sampled_from(operation.Event)))
def test_what_succeeded_is_done_with(events):
    assert set(walked(operation.after, operation.Status.SUCCEEDED, events)) == {operation.Status.SUCCEEDED}


@given(st.lists(st.sampled_from(operation.Event)))
def test_only_asking_again_revives_an_operation_that_ended(events):
    quiet = [event for event in events if event is not operation.Event.RETRIED]

    for ended in (operation.Status.FAILED, operation.Status.CANCELED):
        assert set(walked(operation.after, ended, quiet)) == {ended}
        assert operation.after(ended, operation.Event.RETRIED) in operation.ACTIVE


MAY = {
    #                  running, read_only, suspended, deleting
    Action.READ: (True, True, False, False),
    Action.WRITE: (True, False, False, False),
    Action.ERASE: (True, True, True, False),
    Action.EXPORT: (True, True, True, False),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("column", "mode"), list(enumerate((Mode.RUNNING, Mode.READ_ONLY, Mode.SUSPENDED, Mode.DELETING)))
)
def test_each_mode_allows_what_customers_are_told(action, column, mode):
    assert allows(mode, action) is MAY[action][column]


def test_every_status_is_enforced_as_a_mode():
    assert set(substrate.MODES) == set(substrate.Status)
    assert set(ALLOWED) == set(Mode)


def test_every_action_has_its_scope_and_erasing_must_be_asked_for():
    assert set(SCOPE_FOR) == set(Action)
    assert Scope.ERASE not in DEFAULT_SCOPES
