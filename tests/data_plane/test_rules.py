"""Names, questions and the one writer: the parts that need no server."""

import asyncio
import threading
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.atoms.names import MAX_NAME_BYTES, derived, is_name, is_namespace, type_of
from data_plane.atoms.secrets import find_secret
from data_plane.log.writer import MOST_WAITING, Writer
from data_plane.retrieval.query import expression_for
from data_plane.store import tally_table
from data_plane.store.database import Tx, open_for_writing, transaction
from data_plane.store.errors import Busy, DatabaseTooNew, StorageFull
from data_plane.store.migrations import STEPS, migrate
from data_plane.store.readers import Readers
from shared.kernel.errors import InvalidRequest

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(TEXTS, st.from_regex(r"[a-z][a-z0-9_]{0,40}", fullmatch=True))
def test_every_content_gets_a_good_name(content, atom_type):
    name = derived(atom_type, content)

    assert is_name(name)
    assert type_of(name) == atom_type
    assert name == derived(atom_type, content)


@given(TEXTS, TEXTS)
def test_two_contents_get_two_names(one, other):
    assert (derived("note", one) == derived("note", other)) is (one == other)


@pytest.mark.parametrize("name", ["fact.a", "fact.a.b-c_d.9", "f_1.0", "a." + "b" * (MAX_NAME_BYTES - 2)])
def test_a_good_name(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "fact", "fact.", ".a", "Fact.a", "fact.A", "fact.é", "fact..a", "fact.-a", "1.a", "fact.a ", "fact.\uff11"],
)
def test_a_bad_name(name):
    assert not is_name(name)


@pytest.mark.parametrize("namespace", ["", ".a", "A", "a/b", "a" * 201])
def test_a_bad_namespace(namespace):
    assert not is_namespace(namespace)


@given(TEXTS)
def test_looking_for_secrets_never_fails(text):
    find_secret(text)


@given(TEXTS)
def test_every_question_is_a_good_expression(question):
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE VIRTUAL TABLE word USING fts5 (content)")

    expression = expression_for(question)

    if expression is not None:
        connection.execute("SELECT * FROM word WHERE word MATCH ?", (expression,)).fetchall()
    connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def writer(database: Path):
    opened = Writer(database)
    opened.open()
    yield opened
    opened.close()


def _count(tx: Tx) -> None:
    tally_table.update_tally(tx, tally_table.LIVE_ATOMS, +1)


async def _counted(database: Path) -> int:
    readers = Readers(database)
    found = await readers.read(lambda tx: tally_table.get_tally(tx, tally_table.LIVE_ATOMS))
    readers.close()
    return found


async def test_jobs_that_wait_together_share_one_commit(writer: Writer, database: Path):
    commits = []
    release = threading.Event()
    assert writer._connection is not None
    writer._connection.set_commit_hook(lambda: bool(commits.append(1)))
    first = asyncio.create_task(writer.write(lambda _tx: release.wait(10)))
    await asyncio.sleep(0)

    others = [asyncio.create_task(writer.write(_count)) for _ in range(20)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.gather(first, *others)

    assert len(commits) == 1
    assert await _counted(database) == 20


async def test_a_job_that_fails_undoes_its_own_work_only(writer: Writer, database: Path):
    def fail(tx: Tx) -> None:
        _count(tx)
        raise InvalidRequest(shown={"problem": "no"})

    outcomes = await asyncio.gather(
        *(writer.write(work) for work in (_count, fail, _count, fail)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [type(None), InvalidRequest, type(None), InvalidRequest]
    assert await _counted(database) == 2


async def test_a_job_that_loses_the_whole_transaction_does_not_lose_the_others(writer: Writer, database: Path):
    def lose(tx: Tx) -> None:
        tx.execute("ROLLBACK")
        raise apsw.FullError

    release = threading.Event()
    blocking = asyncio.create_task(writer.write(lambda _tx: release.wait(10)))
    await asyncio.sleep(0)
    jobs = [asyncio.create_task(writer.write(work)) for work in (_count, lose, _count)]
    await asyncio.sleep(0)
    release.set()
    await blocking
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [type(None), StorageFull, type(None)]
    assert await _counted(database) == 2


async def test_a_caller_that_goes_away_disturbs_nobody(writer: Writer, database: Path):
    release = threading.Event()
    blocking = asyncio.create_task(writer.write(lambda _tx: release.wait(10)))
    await asyncio.sleep(0)
    gone = asyncio.create_task(writer.write(_count))
    await asyncio.sleep(0)
    gone.cancel()
    release.set()

    await blocking
    await writer.write(_count)

    assert await _counted(database) == 2


async def test_too_much_waiting_work_is_refused(writer: Writer):
    release = threading.Event()
    blocking = asyncio.create_task(writer.write(lambda _tx: release.wait(10)))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(writer.write(_count)) for _ in range(MOST_WAITING + 100)]
    await asyncio.sleep(0)
    release.set()

    outcomes = await asyncio.gather(blocking, *waiting, return_exceptions=True)

    assert any(isinstance(outcome, Busy) for outcome in outcomes)


async def test_a_reader_cannot_write(writer: Writer, database: Path):
    readers = Readers(database)

    with pytest.raises(apsw.ReadOnlyError):
        await readers.read(_count)
    readers.close()


@pytest.mark.parametrize("statement", ["UPDATE atom_version SET content = 'forged'", "DELETE FROM atom_version"])
async def test_history_can_be_neither_changed_nor_deleted(writer: Writer, statement):
    def work(tx: Tx) -> None:
        tx.execute(
            "INSERT INTO atom_version VALUES (1, 'n', 'a.b', 1, 0, 'a', 'c', NULL, NULL, 0, '[]', NULL, NULL, NULL, "
            "NULL, '[]', 0, x'', 'k', 0)"
        )

    await writer.write(work)

    with pytest.raises(apsw.ConstraintError):
        await writer.write(lambda tx: tx.execute(statement))


def test_migrating_twice_changes_nothing(database: Path):
    for _ in range(2):
        connection = open_for_writing(database)
        migrate(connection)
        assert connection.pragma("user_version") == len(STEPS)
        assert connection.pragma("integrity_check") == "ok"
        connection.close()


def test_a_database_of_a_later_server_is_left_alone(database: Path):
    connection = open_for_writing(database)
    connection.pragma("user_version", len(STEPS) + 1)

    with pytest.raises(DatabaseTooNew):
        migrate(connection)
    connection.close()


def test_a_commit_is_on_disk_before_it_is_answered(database: Path):
    connection = open_for_writing(database)

    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    with transaction(connection) as tx:
        assert tx.in_transaction
    connection.close()
