"""What a chain takes back leaves the tables, whoever is killed on the way: counted is what stands on the chain."""

import json
import subprocess

import msgspec
import pytest
import requests

from common.records import OrderEvent
from common.redis_streams import Shard
from common.streams import ORDER_EVENTS, TRADES
from tests.candle_kit import START_NS
from tests.fleet_harness import PYTHON, ROOT, wait_for
from tests.test_bar_program import append, position

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(180)]

WRITER, MAKER = "clickhouse_writer", "trade_processor"
STANDING = "SELECT event_id FROM order_events ORDER BY event_id"
TRADED = "SELECT trade_id FROM trades ORDER BY trade_id"
# Each record of the stream stands in one of the two tables, and nowhere twice.
PLACES = (
    "SELECT count(), uniqExact(offset), max(offset) + 1 FROM "
    "(SELECT offset FROM {0} UNION ALL SELECT offset FROM removed_{0})"
)
MOMENTS = ("command:1:after", "command:2:after", "insert:2:after", "commit:1:before")


REORGANISED = {"kind": "reorg_remove", "venue": "polygon", "amount": 20}


def event(number, *, received_s=0, **more):
    at_ns = START_NS + number * 10**9
    told = {"event_id": f"e{number}", "event_ns": at_ns, "transaction_hash": f"t{number}", "order_hash": f"o{number}"}
    sides = {"maker_asset_id": "0", "taker_asset_id": "71", "maker_amount": "400000", "taker_amount": "1000000"}
    rest = {"maker": "m", "taker": "t", "fee": "0", "role": "maker_fill", "source": "chain"}
    return OrderEvent("polymarket", "71", at_ns + received_s * 10**9, **{**told, **sides, **rest, **more})


def gone(told, received_s=60):
    return msgspec.structs.replace(told, source="removed", received_ns=told.received_ns + received_s * 10**9)


def write(fleet, crash=""):
    fleet.environment["CRASH"] = crash
    fleet.start(WRITER, PYTHON, "-m", "tests.faults.writing", WRITER)


def is_read(fleet):
    """Return whether all that was appended has been turned and stored."""
    return all(
        0 < end(fleet, stream) == position(fleet, group, stream)
        for stream, group in ((ORDER_EVENTS, MAKER), (ORDER_EVENTS, WRITER), (TRADES, WRITER))
    )


def end(fleet, stream):
    return int(fleet.redis.hget(Shard(stream, 0, 1).facts, "offset") or 0)


def test_killed_at_any_moment_of_a_removal_what_stands_is_what_the_chain_holds(fleet):
    """Of ten events each time: 3 vanishes, 5 is told anew at another time, 7 vanishes and is back at once."""
    fleet.start_program(MAKER)
    for rounds, moment in enumerate(MOMENTS):
        told = [event(10 * rounds + step) for step in range(10)]
        write(fleet)
        append(fleet, ORDER_EVENTS, told)
        wait_for(lambda: is_read(fleet), what="told")
        fleet.end(WRITER)
        moved = event(10 * rounds + 5, received_s=70, event_ns=told[5].event_ns + 2 * 10**9)
        back = event(10 * rounds + 7, received_s=70)
        append(fleet, ORDER_EVENTS, [gone(told[3]), gone(told[5]), moved, gone(told[7]), back])
        write(fleet, moment)
        assert -9 == fleet.processes[WRITER][0].wait(30), moment
    write(fleet)
    wait_for(lambda: is_read(fleet), what="taken back")

    stand = sorted(f"e{number}" for number in range(10 * len(MOMENTS)) if number % 10 != 3)
    assert [(name,) for name in stand] == fleet.sql(STANDING) == fleet.sql(TRADED)
    for table in ("order_events", "trades"):
        assert [(15 * len(MOMENTS),) * 3] == fleet.sql(PLACES.format(table))
    assert [(3 * len(MOMENTS),)] == fleet.sql("SELECT count() FROM trade_corrections WHERE action = 'removed'")
    assert_candles_agree(fleet)
    assert_proven(fleet)


def has_begun(fleet):
    """Return whether the newest polygon ingester has read the chain."""
    return int(fleet.redis.hget("proc:polygon_ingester", "pid") or 0) == fleet.pid("polygon_ingester") and (
        fleet.redis.hget("proc:polygon_ingester", "state") == "running"
    )


def ledger(fleet):
    return requests.get(f"{fleet.environment['SIMULATOR_URL']}/_ledger?ids=1", timeout=10).json()["polygon"]


def assert_candles_agree(fleet):
    """See that candles are those of the trades that stand."""
    for view in ("bars_1s", "bars_1m", "bars_1d"):
        assert fleet.sql("SELECT count(), sum(size) FROM trades") == fleet.sql(
            f"SELECT sum(trades), sum(volume) FROM {view}"
        )


def assert_proven(fleet):
    command = [PYTHON, "-m", "monitoring.cli", "quality", "--prove", "--json"]
    proven = subprocess.run(command, cwd=ROOT, env=fleet.environment, capture_output=True, timeout=60, check=False)
    assert [] == [proof for proof in json.loads(proven.stdout) if not proof["proven"]]


def test_fills_that_vanish_from_the_chain_leave_the_tables_and_are_told(fleet):
    fleet.environment["POLYGON_POLL_S"] = "0.2"
    fleet.start_simulator("--demo")
    for program in (WRITER, MAKER, "polygon_ingester"):
        fleet.start_program(program)
    wait_for(lambda: fleet.sql("SELECT count() > 500 FROM order_events")[0][0], expected=1, what="the history")
    wait_for(lambda: is_read(fleet), what="read")
    fleet.kill("polygon_ingester")  # the next one has to know what this one has told
    fleet.restart("polygon_ingester")
    wait_for(lambda: has_begun(fleet), what="it goes on")
    more = end(fleet, ORDER_EVENTS)
    wait_for(lambda: end(fleet, ORDER_EVENTS) > more and is_read(fleet), what="new blocks")
    before = {name for (name,) in fleet.sql(STANDING)}
    requests.post(f"{fleet.environment['SIMULATOR_URL']}/_control", json=REORGANISED, timeout=10).raise_for_status()
    wait_for(lambda: fleet.sql("SELECT count() FROM removed_order_events")[0][0] > 0, what="taken back")
    fleet.end("polygon_ingester")
    wait_for(lambda: is_read(fleet), what="read to the end")
    vanished = before & set(ledger(fleet)["vanished"])

    assert len(vanished) > 10
    assert set() == vanished & {name for (name,) in fleet.sql(STANDING)}
    assert vanished == {name for (name,) in fleet.sql("SELECT DISTINCT event_id FROM removed_order_events")}
    assert fleet.sql("SELECT event_id FROM order_events WHERE role = 'maker_fill' ORDER BY event_id") == fleet.sql(
        TRADED
    )
    assert f"reorg: {len(vanished)} events vanished: " in str(
        fleet.sql("SELECT detail FROM feed_events WHERE kind = 'gap'")
    )
    assert_candles_agree(fleet)
    assert_proven(fleet)
