"""When backups are made, and which are kept."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from provisioner.backups.retention import DAYS, MOST_RECENT, RECENT, WEEKS, kept
from provisioner.programs.plan_backups import let_go, next_backup, plan_backup
from shared.contracts.backups import Reason
from shared.contracts.operations import Kind
from shared.kernel.ids import RandomIds, SubstrateId
from shared.registry import backups, operations
from tests.support.hosts import Host

DAY = timedelta(days=1)
START = datetime(2025, 1, 1, tzinfo=UTC)
MOMENTS = st.lists(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes)), max_size=60, unique=True
)


def itself(moment: datetime) -> datetime:
    return moment


@given(MOMENTS)
def test_the_newest_is_always_kept_and_the_number_is_bounded(moments):
    keeping = kept(moments, itself)

    assert len(keeping) <= MOST_RECENT + DAYS + WEEKS
    assert keeping == sorted(set(keeping), reverse=True)
    assert not moments or keeping[0] == max(moments)


@given(MOMENTS)
def test_what_is_let_go_never_comes_to_be_missed(moments):
    keeping = kept(moments, itself)

    assert kept(keeping, itself) == keeping
    days = sorted({moment.date() for moment in moments}, reverse=True)[:DAYS]
    assert set(days) <= {moment.date() for moment in keeping}
    weeks = sorted({moment.isocalendar()[:2] for moment in moments}, reverse=True)[:WEEKS]
    assert set(weeks) <= {moment.isocalendar()[:2] for moment in keeping}


def test_a_year_of_daily_backups_leaves_the_last_days_and_weeks():
    newest = datetime(2026, 11, 21, 3, tzinfo=UTC)

    keeping = kept([newest - number * DAY for number in range(365)], itself)

    assert keeping[:DAYS] == [newest - number * DAY for number in range(DAYS)]
    assert len({moment.isocalendar()[:2] for moment in keeping}) == WEEKS


def test_a_backup_asked_for_today_survives_the_next_scheduled_one():
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)

    assert kept([noon, noon + RECENT / 2], itself) == [noon + RECENT / 2, noon]


@given(st.text("abc234", min_size=1), st.integers(0, 10**7).map(lambda seconds: START + timedelta(seconds=seconds)))
def test_every_substrate_has_its_own_moment_of_the_day(name, now):
    first = next_backup(SubstrateId(name), now, DAY)

    assert now < first <= now + DAY
    assert abs(next_backup(SubstrateId(name), first, DAY) - first - DAY) < timedelta(milliseconds=1)


async def test_a_running_substrate_is_backed_up_when_its_moment_has_come(host: Host) -> None:
    customer = await host.with_memory()
    await plan_backup(customer.substrate, host.tools, RandomIds(), DAY)
    assert await _due(host) == []
    host.clock.advance(DAY)

    assert await _due(host) == [customer.substrate]
    await plan_backup(customer.substrate, host.tools, RandomIds(), DAY)
    await plan_backup(customer.substrate, host.tools, RandomIds(), DAY)

    async with host.database.transaction() as tx:
        newest, *_ = await operations.list_of(tx, customer.substrate)
    assert newest.kind is Kind.BACK_UP
    await host.advance(newest.id)
    async with host.database.transaction() as tx:
        (backup,) = await backups.list_ready(tx, customer.substrate)
    assert backup.reason is Reason.SCHEDULE


async def test_a_substrate_with_work_under_way_waits_for_its_backup(host: Host) -> None:
    customer = await host.with_memory()
    await plan_backup(customer.substrate, host.tools, RandomIds(), DAY)
    host.clock.advance(DAY)
    await host.ask_to_destroy(customer)

    assert await _due(host) == []


async def test_objects_of_a_destroyed_substrate_are_removed(host: Host) -> None:
    customer = await host.with_memory()
    await host.advance(await host.ask(customer, Kind.BACK_UP))
    assert list(host.state.backups.rglob("*.age"))
    await host.advance(await host.ask_to_destroy(customer))

    await let_go(host.tools)

    assert list(host.state.backups.rglob("*.age")) == []
    async with host.database.transaction() as tx:
        assert await backups.list_leaving(tx, 10) == []


async def _due(host: Host) -> list[SubstrateId]:
    async with host.database.transaction() as tx:
        return await backups.list_due(tx, host.clock.now(), 10)
