"""Who takes the money. `local` takes none: a subscription is active at once, and an operator may mark it past due."""

from typing import Protocol

from shared.kernel.ids import AccountId, SubscriptionId
from shared.lifecycle.subscription import Event, State
from shared.plans import Plan


class Payments(Protocol):
    """A payment service."""

    async def open(self, account: AccountId, subscription: SubscriptionId, plan: Plan) -> State:
        """Begin to charge for a subscription; the state in which it starts."""
        ...

    async def renew(self, account: AccountId, subscription: SubscriptionId, plan: Plan) -> Event:
        """Charge for another month: `PAID` or `PAYMENT_FAILED`."""
        ...


class LocalPayments:
    """No payment service: the operator settles with customers elsewhere."""

    async def open(self, account: AccountId, subscription: SubscriptionId, plan: Plan) -> State:  # noqa: ARG002
        """See `Payments.open`."""
        return State.ACTIVE

    async def renew(self, account: AccountId, subscription: SubscriptionId, plan: Plan) -> Event:  # noqa: ARG002
        """See `Payments.renew`."""
        return Event.PAID
