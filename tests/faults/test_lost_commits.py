"""Redis comes back with less while programs die with it: what was fetched or made twice stands once."""

import os

import pytest

from tests.fleet_harness import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(180)]

PROGRAMS = ("clickhouse_writer", "trade_processor", "goldsky_ingester", "polygon_ingester")
LOST_BYTES = 400_000
EXEC = b"*1\r\n$4\r\nEXEC\r\n"
TRADES = "SELECT count(), uniqExact(trade_id), uniqExact(shard, offset) FROM trades"
EVENTS = "SELECT count(), uniqExact(event_id), uniqExact(shard, offset) FROM order_events"
FILLS = "SELECT uniqExact(event_id) FROM order_events WHERE role = 'maker_fill'"


@pytest.fixture
def fills(fleet):
    """A fleet that makes trades of order events, from the subgraph and from the chain."""
    fleet.environment |= {"GOLDSKY_POLL_S": "0.3", "POLYGON_POLL_S": "0.3"}
    fleet.start_simulator("--demo")
    for program in PROGRAMS:
        fleet.start_program(program)
    return fleet


def cut(fleet):
    """Take the newest transactions that Redis has confirmed away from its append file."""
    file = max((fleet.folder / "redis" / "appendonlydir").glob("*.incr.aof"), key=os.path.getmtime)
    content = file.read_bytes()
    os.truncate(file, content.rindex(EXEC, 0, max(len(content) - LOST_BYTES, len(content) // 2)) + len(EXEC))


def more_trades(fleet, rows):
    before = fleet.sql(TRADES)[0][1]
    wait_for(lambda: fleet.sql(TRADES)[0][1] >= before + rows, what="new trades")


def is_read(fleet):
    """Return whether the writer has committed every trade and every event, and every event has been turned."""
    groups = (
        ("order_events", "trade_processor"),
        ("order_events", "clickhouse_writer"),
        ("trades", "clickhouse_writer"),
    )
    return all(
        fleet.redis.hget(f"shard:{{stream:{topic}}}", "offset")
        == fleet.redis.hget(f"group:{{stream:{topic}}}:{group}", "position")
        for topic, group in groups
    )


@pytest.mark.parametrize("dying", [(), PROGRAMS[1:2], PROGRAMS])
def test_what_is_fetched_or_made_again_stands_once(fills, dying):
    more_trades(fills, 1000)
    for _ in range(2):
        for program in dying:
            fills.kill(program)
        fills.kill("redis")
        cut(fills)
        fills.restart("redis")
        wait_for(fills.redis.ping, what="redis")
        for program in dying:
            fills.restart(program)
        more_trades(fills, 200)
    for program in PROGRAMS[2:]:
        fills.end(program)
    wait_for(lambda: is_read(fills), what="read to the end")

    rows, *distinct = fills.sql(EVENTS)[0]
    assert [rows, rows] == distinct
    rows, *distinct = fills.sql(TRADES)[0]
    assert [rows, rows] == distinct
    assert [(rows,)] == fills.sql(FILLS)
    assert [] == fills.sql("SELECT reason FROM dead_letters")
