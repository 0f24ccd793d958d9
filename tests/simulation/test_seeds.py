"""A thousand worlds that break, each from a seed; whatever breaks, the promises about operations and substrates hold.

A failing test prints the seed, its last moments, and the command that shows it again.
"""

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.simulation import mutations
from tests.simulation.mutations import MUTATIONS
from tests.simulation.simulate import Outcome, simulate

SEEDS = 1_000
AT_A_TIME = 50
ENOUGH = 1_500
"""By so many seeds every protection that is taken away has been missed."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A thousand worlds log a million lines; the trace of the one that breaks says more."""
    was = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**was)


@pytest.mark.parametrize("first", range(0, SEEDS, AT_A_TIME))
def test_everything_holds_in_every_world(first: int) -> None:
    for seed in range(first, first + AT_A_TIME):
        outcome = simulate(seed)
        assert outcome.broken is None, outcome.report()


def test_a_seed_leads_to_the_same_world_again() -> None:
    assert simulate(7) == simulate(7)
    assert simulate(7).trace != simulate(8).trace


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_protection_taken_away_is_noticed(mutation: mutations.Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)

    assert first_broken(ENOUGH) is not None, f"{ENOUGH} worlds hold without it: {mutation.__doc__}"


def first_broken(most: int) -> Outcome | None:
    worlds = (simulate(seed) for seed in range(most))
    return next((outcome for outcome in worlds if outcome.broken), None)
