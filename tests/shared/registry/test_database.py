import asyncio

import pytest


async def test_a_block_that_raises_leaves_nothing(database, tenant):
    with pytest.raises(RuntimeError):
        async with database.transaction() as tx:
            await tx.run("UPDATE account SET closed_at = now() WHERE id = :id", {"id": tenant.account})
            raise RuntimeError

    async with database.transaction() as tx:
        assert await tx.value("SELECT closed_at FROM account WHERE id = :id", {"id": tenant.account}) is None


async def test_a_parameter_named_twice_is_passed_once_and_a_cast_is_no_parameter(database):
    async with database.transaction() as tx:
        assert await tx.value("SELECT :n::int + :n::int", {"n": 21}) == 42


async def test_json_goes_in_and_comes_out_as_values(database):
    async with database.transaction() as tx:
        assert await tx.value("SELECT :facts::jsonb", {"facts": {"plan": "solo", "n": [1, None]}}) == {
            "plan": "solo",
            "n": [1, None],
        }


async def test_a_listener_hears_of_a_change_after_its_commit_and_not_before(database):
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    connection = await database.listen(["news"], lambda *news: heard.put_nowait(news), asyncio.Event())

    async with database.transaction() as tx:
        await tx.notify("news", "hello")
        assert heard.empty()

    assert await asyncio.wait_for(heard.get(), 5) == ("news", "hello")
    await connection.close()


async def test_a_listener_learns_that_its_connection_is_gone(database):
    lost = asyncio.Event()
    connection = await database.listen(["news"], lambda *_: None, lost)

    async with database.transaction() as tx:
        await tx.value("SELECT pg_terminate_backend(:pid)", {"pid": connection.get_server_pid()})

    await asyncio.wait_for(lost.wait(), 5)
