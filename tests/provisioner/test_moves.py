"""What follows from a step's answer, as a table of decisions."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from provisioner.engine import moves
from provisioner.engine.moves import Fail, Pause, Proceed, Succeed
from provisioner.engine.outcome import Done, GiveUp, GoTo, TryAgain, Wait
from shared.registry.operations import StepRecord
from tests.support.clock import NOON

DEADLINE = NOON + timedelta(minutes=2)


class Impossible(GiveUp):
    code = "impossible"
    public = "It is impossible."


def test_each_answer_has_its_move() -> None:
    rest = {"attempts": 0, "now": NOON, "deadline": DEADLINE}

    assert moves.after_answer(GoTo("next"), **rest) == Proceed("next")
    assert moves.after_answer(Done(), **rest) == Succeed()
    second = timedelta(seconds=1)
    assert moves.after_answer(Wait(second, "x"), **rest) == Pause(NOON + second, held=True, attempts=0, reason="x")


def test_trying_again_at_a_stated_time_overrules_the_growing_pause() -> None:
    move = moves.after_trouble(TryAgain("x", after=timedelta(seconds=40)), attempts=0, now=NOON, deadline=DEADLINE)

    assert move == Pause(NOON + timedelta(seconds=40), held=False, attempts=1, reason="x")


def test_giving_up_is_final() -> None:
    move = moves.after_trouble(Impossible(), attempts=0, now=NOON, deadline=DEADLINE)

    assert isinstance(move, Fail)
    assert move.failure.code == "impossible"


@given(st.integers(min_value=0, max_value=10_000))
def test_pauses_grow_and_stay_bounded(attempts: int) -> None:
    assert moves.FIRST_PAUSE <= moves.backoff(attempts) <= moves.backoff(attempts + 1) <= moves.LONGEST_PAUSE


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=9)), st.integers(min_value=-60, max_value=600))
def test_no_pause_goes_beyond_the_deadline_or_into_the_past(pause: timedelta, left: int) -> None:
    deadline = NOON + timedelta(seconds=left)

    move = moves.after_answer(Wait(pause, "x"), attempts=0, now=NOON, deadline=deadline)

    assert isinstance(move, Pause)
    assert NOON <= move.until <= max(deadline, NOON)


def test_progress_shows_each_step_once_even_after_going_back() -> None:
    steps: tuple[StepRecord, ...] = ()
    for number, name in enumerate(["a", "b", "a", "b"]):
        steps = moves.begun(steps, name, NOON + timedelta(seconds=number))

    assert [(step.name, step.finished_at is None) for step in steps] == [("a", False), ("b", True)]


def test_a_resumed_step_still_says_what_it_waits_for() -> None:
    steps = moves.waiting(moves.begun((), "a", NOON), "the sun")

    assert moves.begun(steps, "a", NOON + timedelta(hours=1)) == steps


def test_an_overdue_operation_says_when_and_what_to_do() -> None:
    failure = moves.overdue("Doing it", DEADLINE, None)

    assert failure.code == "deadline_passed"
    assert failure.detail == "“Doing it” was not finished by 2026-11-21T12:02:00Z."
    assert failure.next_action


def test_waiting_before_any_step_has_begun_notes_nothing() -> None:
    assert moves.waiting((), "the sun") == ()
