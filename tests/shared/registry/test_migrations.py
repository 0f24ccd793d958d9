import concurrent.futures

from shared.registry import migrations
from tests.support.registry import connected


async def test_the_schema_is_made_once_however_many_programs_start_at_the_same_time(empty_database_url):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(migrations.apply, [empty_database_url] * 4))

    async with connected(empty_database_url) as database, database.transaction() as tx:
        assert await tx.value("SELECT count(*) FROM registry") == 1
