"""Whole lives, moment by moment: what time does to a subscription and its substrate."""

import asyncio
from datetime import datetime, timedelta

import pytest

from control_plane.actions.clockwork import carry_out_due, move_subscription, release_deletion
from control_plane.actions.settle_account import mark_paid, mark_past_due
from provisioner.host_keys import HostKeys
from shared.contracts.policy import Mode
from shared.contracts.signed_policy import verify
from shared.kernel.clock import iso
from shared.lifecycle.subscription_times import a_month_after
from shared.registry import policies
from shared.registry.audit import Actor, ActorKind

OPERATOR = Actor(ActorKind.STAFF, "operator")
MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)


class Life:
    """One customer's subscription and its substrate, and the clock they live by."""

    def __init__(self, plane, customer, subscribed) -> None:
        self.plane, self.customer = plane, customer
        self.subscription = subscribed["subscription"]["id"]
        self.substrate = subscribed["substrate"]["id"]

    async def pass_time(self, by: timedelta) -> None:
        """Until the last moment before, when nothing may happen yet; then on it."""
        before = await self.stand()
        self.plane.clock.ahead += by - MOMENT
        await carry_out_due(self.plane.tools)
        assert await self.stand() == before, "too early"
        self.plane.clock.ahead += MOMENT
        await carry_out_due(self.plane.tools)

    async def stand(self) -> tuple[str, str, str | None]:
        """(state of the subscription, status of the substrate, its reason)."""
        return (await self.bought())["state"], *(await self.status())

    async def bought(self):
        return (await self.customer.get(f"/subscriptions/{self.subscription}")).json()

    async def status(self):
        found = (await self.customer.get(f"/substrates/{self.substrate}")).json()
        return found["status"], found["status_reason"]

    async def enforced(self) -> tuple[Mode, str | None]:
        """What the newest signed policy says."""
        async with self.plane.tools.database.transaction() as tx:
            stored = await policies.get(tx, self.substrate)
        policy = verify(stored.jws, HostKeys(self.plane.state_dir / "secrets").trust())
        return policy.mode, policy.mode_reason

    async def audited(self) -> list[str]:
        async with self.plane.tools.database.transaction() as tx:
            rows = await tx.rows("SELECT action FROM audit WHERE actor_id = 'clockwork' ORDER BY id")
        return [row["action"] for row in rows if not row["action"].startswith("key.")]


@pytest.fixture
async def plane(plane):
    plane.clock.stop()
    return plane


async def living(plane, customer, *, trial=False) -> Life:
    subscribed = await customer.subscribe(trial=trial)
    await plane.worker.start(subscribed)
    async with plane.tools.database.transaction() as tx:
        await tx.run("UPDATE account_token SET expires_at = expires_at + interval '10 years'")
    return Life(plane, customer, subscribed)


@pytest.fixture
async def trial(plane, customer) -> Life:
    return await living(plane, customer, trial=True)


@pytest.fixture
async def paid(plane, customer) -> Life:
    return await living(plane, customer)


async def test_an_unpaid_trial_ends_step_by_step_each_on_its_moment(trial):
    assert await trial.stand() == ("trialing", "running", None)
    await trial.pass_time(14 * DAY)
    assert await trial.stand() == ("past_due", "running", None)
    await trial.pass_time(7 * DAY)
    assert await trial.stand() == ("past_due", "read_only", "payment")
    assert await trial.enforced() == (Mode.READ_ONLY, "payment")
    await trial.pass_time(30 * DAY)
    assert await trial.stand() == ("canceled", "read_only", "canceled")
    assert await trial.enforced() == (Mode.READ_ONLY, "canceled")
    await trial.pass_time(30 * DAY)
    assert await trial.stand() == ("canceled", "deleting", None)
    assert (await trial.enforced())[0] is Mode.DELETING
    assert await trial.audited() == [
        "subscription.trial_over",
        "subscription.read_only",
        "subscription.canceled",
        "subscription.destroyed",
    ]


@pytest.mark.parametrize("days", [0, 14, 14 + 7, 14 + 7 + 29])
async def test_paying_in_time_brings_it_back_at_every_point(trial, days):
    waits = [14 * DAY, 7 * DAY]
    while waits and days * DAY >= waits[0]:
        await trial.pass_time(waits[0])
        days -= waits.pop(0).days
    trial.plane.clock.ahead += days * DAY

    await mark_paid(trial.plane.tools, OPERATOR, trial.subscription)

    assert await trial.stand() == ("active", "running", None)
    assert await trial.enforced() == (Mode.RUNNING, None)
    assert [one["what"] for one in (await trial.bought())["coming"]] == ["renewed"]


async def test_paying_is_too_late_once_it_counts_as_canceled(trial):
    for days in (14, 7, 30):
        await trial.pass_time(days * DAY)

    with pytest.raises(Exception, match="not_in_this_state"):
        await mark_paid(trial.plane.tools, OPERATOR, trial.subscription)

    assert await trial.stand() == ("canceled", "read_only", "canceled")


async def test_what_is_active_renews_month_by_month(paid):
    for _ in range(3):
        ends = datetime.fromisoformat((await paid.bought())["period_ends_at"])
        await paid.pass_time(ends - paid.plane.clock.now())

        assert (await paid.bought())["period_ends_at"] == iso(a_month_after(ends))
        assert await paid.stand() == ("active", "running", None)


async def test_an_unpaid_month_is_warned_about_before_anything_is_taken_away(paid):
    await mark_past_due(paid.plane.tools, OPERATOR, paid.subscription)

    assert await paid.stand() == ("past_due", "running", None)
    now = paid.plane.clock.now()
    assert (await paid.bought())["coming"] == [
        {"what": "read_only", "at": iso(now + 7 * DAY)},
        {"what": "canceled", "at": iso(now + 37 * DAY)},
    ]
    await paid.pass_time(7 * DAY)
    assert await paid.stand() == ("past_due", "read_only", "payment")


async def test_a_canceled_subscription_runs_to_its_periods_end_and_tells_when_what_happens(paid):
    ends = datetime.fromisoformat((await paid.bought())["period_ends_at"])

    answer = await paid.customer.post(f"/subscriptions/{paid.subscription}/cancel")

    assert answer.status_code == 200
    assert answer.json()["coming"] == [
        {"what": "read_only", "at": iso(ends)},
        {"what": "destroyed", "at": iso(ends + 30 * DAY)},
    ]
    assert await paid.stand() == ("canceled", "running", None)
    await paid.pass_time(ends - paid.plane.clock.now())
    assert await paid.stand() == ("canceled", "read_only", "canceled")
    await paid.pass_time(30 * DAY)
    assert (await paid.stand())[1] == "deleting"
    assert (await paid.bought())["coming"] == []


async def test_canceling_twice_changes_nothing(paid):
    first = (await paid.customer.post(f"/subscriptions/{paid.subscription}/cancel")).json()
    paid.plane.clock.ahead += DAY

    assert (await paid.customer.post(f"/subscriptions/{paid.subscription}/cancel")).json() == first


@pytest.mark.parametrize("on_trial", [True, False])
async def test_a_cancellation_can_be_undone_until_the_period_ends(plane, customer, on_trial):
    life = await living(plane, customer, trial=on_trial)
    before = await life.bought()
    ends = datetime.fromisoformat(before["period_ends_at"])
    await customer.post(f"/subscriptions/{life.subscription}/cancel")
    plane.clock.ahead += ends - plane.clock.now() - MOMENT

    answer = await customer.post(f"/subscriptions/{life.subscription}/resume")

    assert answer.status_code == 200
    assert answer.json() == before


async def test_a_cancellation_cannot_be_undone_after_the_period(paid):
    ends = datetime.fromisoformat((await paid.bought())["period_ends_at"])
    await paid.customer.post(f"/subscriptions/{paid.subscription}/cancel")
    paid.plane.clock.ahead += ends - paid.plane.clock.now()

    answer = await paid.customer.post(f"/subscriptions/{paid.subscription}/resume")

    assert (answer.status_code, answer.json()["code"]) == (409, "too_late_to_resume")


async def test_what_was_not_canceled_cannot_be_resumed(paid):
    answer = await paid.customer.post(f"/subscriptions/{paid.subscription}/resume")

    assert (answer.status_code, answer.json()["code"]) == (409, "too_late_to_resume")


async def test_a_deletion_can_be_undone_for_seventy_two_hours(paid):
    operation = (await paid.customer.delete(f"/substrates/{paid.substrate}")).json()["operation"]
    assert (operation["status"], operation["cancellable"]) == ("queued", True)
    assert await paid.stand() == ("active", "read_only", "deletion")
    assert await paid.enforced() == (Mode.READ_ONLY, "deletion")
    paid.plane.clock.ahead += timedelta(hours=71, minutes=59)
    await carry_out_due(paid.plane.tools)

    answer = await paid.customer.post(f"/substrates/{paid.substrate}/undelete")

    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["deletion"]) == ("running", None)
    assert await paid.stand() == ("active", "running", None)
    assert (await paid.customer.get(f"/operations/{operation['id']}")).json()["status"] == "canceled"


async def test_canceling_the_operation_of_a_deletion_undoes_it(paid):
    operation = (await paid.customer.delete(f"/substrates/{paid.substrate}")).json()["operation"]["id"]

    answer = await paid.customer.post(f"/operations/{operation}/cancel")

    assert answer.json()["status"] == "canceled"
    assert await paid.stand() == ("active", "running", None)


async def test_an_undone_deletion_is_not_begun_by_retrying_it(paid):
    operation = (await paid.customer.delete(f"/substrates/{paid.substrate}")).json()["operation"]["id"]
    await paid.customer.post(f"/substrates/{paid.substrate}/undelete")

    answer = await paid.customer.post(f"/operations/{operation}/retry")

    assert answer.status_code == 409
    assert await paid.stand() == ("active", "running", None)


@pytest.mark.parametrize("swept", [True, False], ids=["swept", "not yet swept"])
async def test_after_seventy_two_hours_a_deletion_is_final(paid, swept):
    operation = (await paid.customer.delete(f"/substrates/{paid.substrate}")).json()["operation"]["id"]
    if swept:
        await paid.pass_time(timedelta(hours=72))
    paid.plane.clock.ahead += timedelta(minutes=1) if swept else timedelta(hours=72, minutes=1)

    answer = await paid.customer.post(f"/substrates/{paid.substrate}/undelete")

    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_undo")
    if swept:
        assert await paid.stand() == ("canceled", "deleting", None)
        assert ("advance", operation) in paid.plane.doorbell.told


async def test_a_deletion_that_can_be_undone_holds_up_no_other_work(paid):
    await paid.customer.delete(f"/substrates/{paid.substrate}")

    answer = await paid.customer.post(f"/subscriptions/{paid.subscription}/change", {"plan": "solo"})

    assert answer.status_code == 202


async def test_nobody_is_charged_while_a_deletion_can_be_undone(paid):
    ends = datetime.fromisoformat((await paid.bought())["period_ends_at"])
    paid.plane.clock.ahead += ends - paid.plane.clock.now() - DAY
    await paid.customer.delete(f"/substrates/{paid.substrate}")

    paid.plane.clock.ahead += 2 * DAY
    await carry_out_due(paid.plane.tools)
    assert (await paid.bought())["period_ends_at"] == iso(ends)
    await paid.customer.post(f"/substrates/{paid.substrate}/undelete")
    await carry_out_due(paid.plane.tools)

    assert (await paid.bought())["period_ends_at"] == iso(a_month_after(ends))


async def test_erasing_at_once_needs_the_slug_typed(paid):
    for query in ("now=true", "now=true&confirm=wrong"):
        answer = await paid.customer.delete(f"/substrates/{paid.substrate}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "confirmation_missing")
    assert await paid.stand() == ("active", "running", None)

    assert (await paid.customer.erase(paid.substrate)).status_code == 202
    assert await paid.stand() == ("canceled", "deleting", None)


async def test_erasing_at_once_overtakes_a_deletion_that_waits(paid):
    waiting = (await paid.customer.delete(f"/substrates/{paid.substrate}")).json()["operation"]

    begun = (await paid.customer.erase(paid.substrate)).json()["operation"]

    assert begun["id"] == waiting["id"]
    assert (begun["held_until"], begun["cancellable"]) == (None, False)


async def test_what_never_ran_is_destroyed_at_once(customer):
    subscribed = await customer.subscribe()

    operation = (await customer.delete(f"/substrates/{subscribed['substrate']['id']}")).json()["operation"]

    assert operation["held_until"] is None


async def test_two_that_look_at_once_do_everything_once(trial):
    tools = trial.plane.tools
    for days in (14, 7, 30, 30):
        trial.plane.clock.ahead += days * DAY
        await asyncio.gather(*(move_subscription(tools, trial.subscription) for _ in range(6)))

    assert len(await trial.audited()) == 4
    operations = (await trial.customer.get(f"/substrates/{trial.substrate}/operations")).json()["operations"]
    assert [one["kind"] for one in operations].count("destroy_substrate") == 1


async def test_two_that_release_a_deletion_release_it_once(paid):
    await paid.customer.delete(f"/substrates/{paid.substrate}")
    paid.plane.clock.ahead += timedelta(hours=72)

    await asyncio.gather(*(release_deletion(paid.plane.tools, paid.substrate) for _ in range(6)))

    assert await paid.audited() == ["substrate.destruction_began"]


async def test_undoing_and_releasing_at_the_same_moment_have_one_winner(paid):
    await paid.customer.delete(f"/substrates/{paid.substrate}")
    paid.plane.clock.ahead += timedelta(hours=72) - MOMENT

    undone, _ = await asyncio.gather(
        paid.customer.post(f"/substrates/{paid.substrate}/undelete"),
        release_deletion(paid.plane.tools, paid.substrate),
    )

    assert undone.status_code == 200
    assert await paid.stand() == ("active", "running", None)


async def test_a_long_outage_shortens_nobodys_warning(trial):
    trial.plane.clock.ahead += 400 * DAY

    await carry_out_due(trial.plane.tools)

    assert await trial.stand() == ("past_due", "running", None)
    await trial.pass_time(7 * DAY)
    assert await trial.stand() == ("past_due", "read_only", "payment")
