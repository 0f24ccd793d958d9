"""One stack for all journeys, brought up as an operator would; each test is a customer of its own."""

from collections.abc import Iterator

import pytest

from tests.support.customer import Customer, Instance
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running_stack() as found:
        yield found


@pytest.fixture
def customer(stack: Stack) -> Iterator[Customer]:
    with stack.customer() as somebody:
        yield somebody


@pytest.fixture
def instance(customer: Customer) -> Instance:
    return customer.instance()


@pytest.fixture(scope="session")
def shared_instance(stack: Stack) -> Iterator[Instance]:
    """An instance for tests that leave it as it was."""
    with stack.customer() as somebody:
        yield somebody.instance()
