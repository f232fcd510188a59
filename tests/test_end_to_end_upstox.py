"""Recorded Upstox sessions through the whole fleet: the tables hold what the recordings hold, volume included."""

import base64
import json
import subprocess
import time
from collections import Counter

import pytest
import requests

from common.records import Ticker
from ingesters.feed import Frame
from tests.fleet_harness import CAPTURES, PYTHON, beginning_of, wait_for
from tests.test_upstox_recordings import heard

pytestmark = [
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("captures"),
]

THIRTEEN = "upstox-full-13-instruments-20251215-1.jsonl.gz"
MINUTE_NS = 60 * 10**9
SINGLES = "upstox-single-frames-2025.jsonl.gz"
CANDLES = "upstox-rest-candles-tcs-202501.jsonl.gz"

# What each tick adds to the largest volume so far, in the minute of its last trade: docs/venues/upstox.md.
VOLUME_PER_MINUTE = """
    SELECT symbol, toUnixTimestamp(toStartOfMinute(last_trade_time)) * 1000 AS minute, toUInt64(sum(grown)) AS volume
    FROM (
        SELECT symbol, last_trade_time, greatest(volume - max(volume) OVER before, 0) AS grown,
               row_number() OVER before AS number
        FROM tickers WHERE venue = 'upstox' AND volume IS NOT NULL
        WINDOW before AS (PARTITION BY symbol, toDate(last_trade_time, 'Asia/Kolkata') ORDER BY received_time, offset
                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ) WHERE number > 1 AND grown > 0 GROUP BY symbol, minute ORDER BY symbol, minute
"""


def truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]["symbols"]


def rows(name):
    return sum(facts["ticks"] - facts["exact_repeats"] for facts in truth(name).values())


def replayed(fleet, name):
    fleet.replay(name)
    fleet.start_fleet()
    wait_for_ticks(fleet, name)


def start(fleet):
    fleet.start_program("clickhouse_writer")
    fleet.start_program("upstox_ingester")


def order(fleet, **fault):
    requests.post(f"{fleet.environment['SIMULATOR_URL']}/_control", json=fault, timeout=10).raise_for_status()


def wait_for_ticks(fleet, name):
    wait_for(lambda: fleet.sql("SELECT count() FROM tickers"), expected=[(rows(name),)], give_up_s=120, what="tickers")


def ticks_per_instrument(fleet):
    return dict(fleet.sql("SELECT symbol, count() FROM tickers WHERE venue = 'upstox' GROUP BY symbol"))


def volumes(fleet):
    return {
        symbol: (first, largest)
        for symbol, first, largest in fleet.sql(
            "SELECT symbol, toUInt64(argMin(volume, (received_time, offset))), toUInt64(max(volume)) FROM tickers "
            "WHERE venue = 'upstox' GROUP BY symbol"
        )
    }


def volume_per_minute(fleet):
    found = {}
    for symbol, minute_ms, volume in fleet.sql(VOLUME_PER_MINUTE):
        found.setdefault(symbol, []).append([minute_ms, volume])
    return found


def vendor_minutes(fleet):
    return {
        symbol: (minutes, volume)
        for symbol, minutes, volume in fleet.sql(
            "SELECT symbol, count(), toUInt64(sum(volume)) FROM bars WHERE interval = 'I1' GROUP BY symbol"
        )
    }


def assert_stands_as_recorded(fleet, name):
    facts = truth(name)
    assert {symbol: fact["ticks"] - fact["exact_repeats"] for symbol, fact in facts.items()} == ticks_per_instrument(
        fleet
    )
    assert {symbol: (fact["first_vtt"], fact["max_vtt"]) for symbol, fact in facts.items()} == volumes(fleet)
    expected = {symbol: fact["volume_per_minute"] for symbol, fact in facts.items()}
    assert expected == volume_per_minute(fleet)
    minutes = {symbol: (fact["vendor_i1_minutes"], fact["vendor_i1_volume"]) for symbol, fact in facts.items()}
    wait_for(lambda: vendor_minutes(fleet), expected=minutes, what="vendor candles")


def test_a_recorded_session_stands_in_the_tables_as_it_was(fleet):
    replayed(fleet, THIRTEEN)

    assert_stands_as_recorded(fleet, THIRTEEN)
    facts = truth(THIRTEEN)
    backwards = {symbol: fact["backward_vtt"] for symbol, fact in facts.items() if fact["backward_vtt"]}
    assert backwards == dict(
        fleet.sql("SELECT symbol, count() FROM feed_events WHERE channel = 'tick' AND kind = 'resync' GROUP BY symbol")
    )
    assert [(0,)] == fleet.sql("SELECT count() FROM feed_events WHERE kind IN ('gap', 'stale', 'refused')")
    assert [(0,)] == fleet.sql("SELECT count() FROM dead_letters")
    assert [(11,)] == fleet.sql("SELECT count() FROM statuses WHERE venue = 'upstox' AND status = 'NORMAL_OPEN'")
    assert_last_states(fleet, facts)


def assert_last_states(fleet, facts):
    names = ("last_price", "volume", "bid_price", "bid_size", "ask_price", "ask_size")
    newest = ", ".join(f"argMax({name}, (received_time, offset))" for name in names)
    for symbol, *found in fleet.sql(f"SELECT symbol, {newest} FROM tickers GROUP BY symbol"):
        last = facts[symbol]["last"]
        assert [last["ltp"], last["vtt"], *last["best"]] == [float(figure) for figure in found]


def test_an_ingester_killed_in_the_middle_loses_nothing_and_doubles_nothing(fleet, tmp_path):
    file, events = beginning_of(THIRTEEN, tmp_path, events=20_000)
    told = [one for one in events if one["direction"] == "in"]
    said = heard([Frame(one["received_ns"], base64.b64decode(one["payload_base64"])) for one in told])
    ticks = Counter(record.symbol for record in said if isinstance(record, Ticker))
    fleet.replay(file)
    fleet.start_fleet()
    wait_for(lambda: fleet.sql("SELECT count() > 3000 FROM tickers"), expected=[(1,)], what="the first ticks")
    fleet.kill("upstox_ingester")
    fleet.restart("upstox_ingester")
    wait_for(lambda: fleet.sql("SELECT count() FROM tickers"), expected=[(ticks.total(),)], what="tickers")
    time.sleep(0.5)  # if it had been told twice, it would be on its way now

    assert dict(ticks) == ticks_per_instrument(fleet)
    volume = sum(int(record.volume) for record in said if isinstance(record, Ticker) and record.volume)
    assert [(volume,)] == fleet.sql("SELECT toUInt64(sum(volume)) FROM tickers"), "none for another"


def test_indices_options_and_the_minutes_before_the_opening_are_stored(fleet):
    fleet.replay(SINGLES)
    fleet.start_fleet()
    wait_for(lambda: fleet.sql("SELECT count() FROM tickers"), expected=[(7,)], what="tickers")

    assert [("NSE_INDEX|Nifty 50", None), ("NSE_INDEX|Nifty Bank", None)] == fleet.sql(
        "SELECT symbol, volume FROM tickers WHERE symbol LIKE 'NSE_INDEX%' ORDER BY symbol"
    )
    assert [(2,)] == fleet.sql("SELECT count() FROM tickers WHERE delta IS NOT NULL AND open_interest > 0")
    wait_for(
        lambda: fleet.sql("SELECT length(bid_prices) FROM book_snapshots WHERE symbol = 'NSE_EQ|INE531E01026'"),
        expected=[(4,)],
        what="levels that have a price",
    )


def test_what_was_left_open_is_asked_for_as_candles(fleet):
    fleet.start_simulator("--demo")
    symbol = fleet.environment["UPSTOX_INSTRUMENT_KEYS"].split(",")[-1]
    end_ns = (time.time_ns() // MINUTE_NS - 5) * MINUTE_NS
    fleet.redis.set("state:upstox_missed", json.dumps({symbol: [end_ns - 10 * MINUTE_NS, end_ns]}))
    start(fleet)

    asked = "SELECT count() FROM bars WHERE interval = 'I1' AND open_time < fromUnixTimestamp64Nano(toInt64({}))"
    wait_for(lambda: fleet.sql(asked.format(end_ns)), expected=[(10,)], what="candles")
    filled = json.dumps({symbol: end_ns}, separators=(",", ":"))
    wait_for(lambda: fleet.redis.get("state:upstox_filled"), expected=filled, what="the state")
    # Where midnight in India lies between, the days are asked for, and told, apart.
    told = "SELECT symbol, sum(toUInt32(extract(found, '^[0-9]+'))) FROM feed_events WHERE kind = 'backfilled'"
    assert [(symbol, 10)] == fleet.sql(f"{told} GROUP BY symbol")


def test_after_a_cut_the_next_connection_has_a_permission_of_its_own(fleet):
    fleet.start_simulator("--demo")
    start(fleet)
    wait_for(lambda: fleet.sql("SELECT count() > 0 FROM tickers"), expected=[(1,)], what="ticks")
    order(fleet, kind="disconnect", venue="upstox", channel="socket")

    connected = "SELECT countIf(kind = 'connected'), countIf(kind = 'disconnected') FROM feed_events"
    wait_for(lambda: fleet.sql(connected), expected=[(2, 1)], what="a second connection")
    before = fleet.sql("SELECT count() FROM tickers")[0][0]
    wait_for(lambda: fleet.sql(f"SELECT count() > {before} FROM tickers"), expected=[(1,)], what="more ticks")


def test_symbols_change_while_it_runs(fleet):
    fleet.start_simulator("--demo")
    first, *others = fleet.environment["UPSTOX_INSTRUMENT_KEYS"].split(",")
    fleet.environment["UPSTOX_INSTRUMENT_KEYS"] = ",".join(others)
    start(fleet)
    symbols = (
        "SELECT arraySort(groupUniqArray(symbol)) FROM tickers WHERE received_time > now64(9) - INTERVAL {} SECOND"
    )
    wait_for(lambda: fleet.sql(symbols.format(60)), expected=[(sorted(others),)], what="those of the settings")
    fleet.redis.sadd("symbols:upstox_ingester", first)

    wait_for(lambda: fleet.sql(symbols.format(2)), expected=[([first],)], what="the one that was chosen")


def test_a_dead_token_that_nobody_can_renew_ends_the_program_and_says_why(fleet):
    fleet.start_simulator("--demo")
    del fleet.environment["UPSTOX_TOKEN_URL"]
    fleet.environment["UPSTOX_ACCESS_TOKEN"] = "of-yesterday"
    start(fleet)

    assert 2 == fleet.processes["upstox_ingester"][0].wait(30)
    refusal = "SELECT detail FROM feed_events WHERE venue = 'upstox' AND kind = 'refused'"
    wait_for(
        lambda: [("UDAPI100050" in told, "UPSTOX_ACCESS_TOKEN" in told) for (told,) in fleet.sql(refusal)],
        expected=[(True, True)],
        what="the refusal",
    )
    assert "of-yesterday" not in fleet.log("upstox_ingester")


def test_recorded_candles_stand_each_once_and_asking_again_by_hand_adds_none(fleet):
    fleet.replay(CANDLES)
    start(fleet)
    ((key, facts),) = truth(CANDLES).items()
    days = {day: tuple(map(int, told)) for day, told in facts["bars_and_volume_per_day"].items()}
    wait_for(lambda: candles_per_day(fleet, key), expected=days, give_up_s=90, what="candles")

    ask = ["backfill", "upstox", "--from", "2025-01-01T00:00", "--to", "2025-01-20T00:00", "--symbol", key, "--json"]
    done = subprocess.run(
        [PYTHON, "-m", "monitoring.cli", *ask], env=fleet.environment, capture_output=True, text=True, check=False
    )
    (row,) = json.loads(done.stdout)

    assert ("done", 0) == (row["state"], row["fetched"]), done.stderr
    assert sum(count for count, _ in days.values()) == fleet.sql("SELECT count() FROM bar_versions")[0][0]


def candles_per_day(fleet, key):
    rows = fleet.sql(
        "SELECT toString(toDate(open_time, 'Asia/Kolkata')) AS day, count(), toUInt64(sum(volume)) FROM bars "
        f"WHERE venue = 'upstox' AND symbol = '{key}' AND interval = 'I1' GROUP BY day ORDER BY day"
    )
    return {day: (count, volume) for day, count, volume in rows}
