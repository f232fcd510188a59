"""The consume loop on real servers: what cannot be read or stored is set aside whole, and the rest goes on."""

import signal
import subprocess
import time
from decimal import Decimal

import msgspec
import pytest

from common.records import Ticker
from common.redis_streams import Shard
from common.streams import TICKERS
from tests.fleet_harness import PYTHON, ROOT, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(120)]

SHARD = Shard(TICKERS, 0, 1)


def ticker(number, price="1.5"):
    return msgspec.json.encode(Ticker("tester", "ABC", 1_700_000_000_000_000_000 + number, last_price=price))


def append(fleet, *lines):
    """Append as an ingester does: numbered behind what is there."""
    offset = int(fleet.redis.hget(SHARD.facts, "offset") or 0)
    fields = {"o": offset, "n": len(lines), "data": b"\n".join(lines)}
    with fleet.redis.pipeline() as pipe:
        pipe.xadd(SHARD.key, fields)
        pipe.hset(SHARD.facts, "offset", offset + len(lines))
        pipe.execute()


def stored(fleet):
    return [offset for (offset,) in fleet.sql("SELECT offset FROM tickers ORDER BY offset")]


def letters(fleet):
    return fleet.sql("SELECT reason, payload, stream, program FROM dead_letters ORDER BY reason")


def test_entries_that_are_not_ours_are_set_aside_with_their_bytes(fleet):
    fleet.start_program("clickhouse_writer")
    append(fleet, ticker(0))
    fleet.redis.xadd(SHARD.key, {"data": '{"venue": "by hand"}', "timestamp": "now"})
    fleet.redis.xadd(SHARD.key, {"o": "1000000", "n": "1", "data": ticker(9)})
    append(fleet, ticker(1), ticker(2))

    wait_for(lambda: stored(fleet), expected=[0, 1, 2], what="tickers")
    wait_for(lambda: len(letters(fleet)), expected=2, what="dead letters")
    (number, fields) = letters(fleet)
    assert ('data: {"venue": "by hand"}\ntimestamp: now', "stream:tickers", "clickhouse_writer") == fields[1:]
    assert ("expected running number 1, found 1000000", ticker(9).decode()) == number[:2]


def test_a_line_that_is_no_record_is_set_aside_alone(fleet):
    fleet.start_program("clickhouse_writer")
    append(fleet, ticker(0), b'{"venue":"tester"', b"\xff\xfe", ticker(3))

    wait_for(lambda: stored(fleet), expected=[0, 3], what="tickers")
    wait_for(lambda: len(letters(fleet)), expected=2, what="dead letters")
    assert {'{"venue":"tester"', "//4="} == {payload for _, payload, _, _ in letters(fleet)}


def test_a_value_that_does_not_fit_its_column_is_set_aside_and_named(fleet):
    fleet.start_program("clickhouse_writer")
    append(fleet, ticker(0, "9" * 21), ticker(1), ticker(2, "much"))

    wait_for(lambda: stored(fleet), expected=[1], what="tickers")
    wait_for(lambda: len(letters(fleet)), expected=2, what="dead letters")
    assert {"last_price: expected Decimal(38, 18)"} == {reason for reason, *_ in letters(fleet)}


def test_rows_that_clickhouse_refuses_are_found_and_the_rest_of_the_batch_is_stored(fleet):
    client_rule = "ALTER TABLE tickers ADD CONSTRAINT sane CHECK last_price < 100"
    fleet.command(client_rule)
    append(fleet, *(ticker(number, "500" if number in (3, 17) else "1") for number in range(20)))
    fleet.start_program("clickhouse_writer")

    wait_for(lambda: len(letters(fleet)), expected=2, what="dead letters")
    assert [number for number in range(20) if number not in (3, 17)] == stored(fleet)
    assert all("sane" in reason for reason, *_ in letters(fleet))


def test_a_frozen_owner_loses_its_shard_and_can_neither_double_nor_lose(fleet):
    fleet.start_program("clickhouse_writer")
    append(fleet, *(ticker(number) for number in range(100)))
    wait_for(lambda: len(stored(fleet)), expected=100, what="tickers")
    fleet.signal("clickhouse_writer", signal.SIGSTOP)
    append(fleet, *(ticker(number) for number in range(100, 200)))
    fleet.start("clickhouse_writer_01", PYTHON, "-m", "processors", "clickhouse_writer", "clickhouse_writer_01")
    wait_for(lambda: len(stored(fleet)), expected=200, what="taken over")
    fleet.signal("clickhouse_writer", signal.SIGCONT)
    append(fleet, *(ticker(number) for number in range(200, 300)))

    wait_for(lambda: stored(fleet), expected=list(range(300)), what="tickers")
    owner = fleet.redis.hget(SHARD.group("clickhouse_writer"), "owner")
    assert "clickhouse_writer_01" == owner


def test_a_second_copy_under_the_same_name_fences_the_first(fleet):
    fleet.start_program("clickhouse_writer")
    wait_for(lambda: fleet.redis.hget(SHARD.group("clickhouse_writer"), "owner"), expected="clickhouse_writer")
    first = fleet.processes["clickhouse_writer"][0]
    fleet.start("second", PYTHON, "-m", "processors", "clickhouse_writer")

    assert 2 == first.wait(30)
    assert "another process has taken it" in fleet.log("clickhouse_writer")


def test_a_database_newer_than_the_code_is_refused_by_name(fleet):
    fleet.command("INSERT INTO schema_migrations (version, name, digest) VALUES (9999, '9999_future.sql', '')")
    command = [PYTHON, "-m", "processors", "clickhouse_writer"]
    ended = subprocess.run(
        command, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, timeout=30, check=False
    )
    again = [PYTHON, "setup_schema.py"]
    setup = subprocess.run(
        again, cwd=ROOT, env=fleet.environment, capture_output=True, text=True, timeout=30, check=False
    )

    assert (2, 2) == (ended.returncode, setup.returncode)
    assert "found 9999: update Tickfleet, this code is older" in ended.stdout
    assert "found 9999: update Tickfleet, this code is older" in setup.stderr


def test_a_stop_under_load_leaves_nothing_in_flight(fleet):
    fleet.start_program("clickhouse_writer")
    for start in range(0, 5000, 500):
        append(fleet, *(ticker(number) for number in range(start, start + 500)))
    wait_for(lambda: len(stored(fleet)) > 0, what="the first rows")
    began = time.monotonic()

    assert 0 == fleet.end("clickhouse_writer")
    assert time.monotonic() - began < 20
    assert not fleet.redis.hexists(SHARD.group("clickhouse_writer"), "manifest")
    assert stored(fleet) == list(range(len(stored(fleet))))


def test_a_candle_is_made_of_its_trades_whoever_wrote_them(fleet):
    fleet.command(
        "INSERT INTO trades (venue, symbol, trade_id, event_time, price, size, notional, taker_side, shard, offset) "
        "SELECT 'tester', 'ABC', toString(number), toDateTime64(1700000000 + number, 9, 'UTC'), 10 + number, 2, "
        "(10 + number) * 2, if(number % 2 = 0, 'buy', 'sell'), 0, number FROM numbers(90)"
    )
    columns = "open, high, low, close, volume, trades, buy_volume, sell_volume"

    assert [
        tuple(map(Decimal, (10, 49, 10, 49, 80, 40, 40, 40))),
        tuple(map(Decimal, (50, 99, 50, 99, 100, 50, 50, 50))),
    ] == fleet.sql(f"SELECT {columns} FROM bars_1m ORDER BY open_time")
    assert [tuple(map(Decimal, (10, 99, 10, 99, 180, 90, 90, 90)))] == fleet.sql(f"SELECT {columns} FROM bars_1d")
