"""A Redis that comes back with less, or empty, all the way to the tables: given again, and not stored twice."""

import asyncio
import os
import shutil

import pytest

from tests.faults.plain_venue import NAME, Numbers, killed, restart_redis, until
from tests.fleet_harness import PYTHON
from tests.ingest_kit import venue_socket

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(150)]

FIGURES = "SELECT count(), uniqExact(trade_id), max(toUInt64(trade_id)) FROM trades WHERE venue = 'plain'"


def cut(fleet):
    file = max((fleet.folder / "redis" / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)
    os.truncate(file, max(1, file.stat().st_size - 300_000))


def empty(fleet):
    shutil.rmtree(fleet.folder / "redis")
    (fleet.folder / "redis").mkdir()


@pytest.mark.parametrize("lose", [cut, empty])
async def test_what_redis_has_lost_stands_once_in_the_table(fleet, lose):
    venue = Numbers()
    async with venue_socket(venue.talk) as url:
        fleet.start_program("clickhouse_writer")
        fleet.start(NAME, PYTHON, "-m", "tests.faults.plain_ingester", url)
        for _ in range(2):
            before = venue.sent
            await until(lambda before=before: fleet.sql(FIGURES)[0][2] > before, "rows")
            await killed(fleet, "redis")
            lose(fleet)
            await asyncio.to_thread(restart_redis, fleet)
            await asyncio.sleep(3)
        sent = venue.sent
        await until(lambda: fleet.sql(FIGURES)[0][2] >= sent, "drained")
        await asyncio.to_thread(fleet.end, NAME)
        await until(lambda: _is_read(fleet), "read to the end")
        rows, distinct, newest = (await asyncio.to_thread(fleet.sql, FIGURES))[0]

    assert rows == distinct, "doubled"
    assert newest + 1 == distinct, "lost"


def _is_read(fleet):
    end = fleet.redis.hget("shard:{stream:trades}", "offset")
    return end == fleet.redis.hget("group:{stream:trades}:clickhouse_writer", "position")
