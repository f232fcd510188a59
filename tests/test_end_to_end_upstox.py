"""Recorded Upstox sessions through the whole fleet: the tables hold what the recordings hold, volume included."""

import json

import pytest

from tests.fleet_harness import CAPTURES, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("captures"),
]

THIRTEEN = "upstox-full-13-instruments-20251215-1.jsonl.gz"
SINGLES = "upstox-single-frames-2025.jsonl.gz"

# What each tick adds to the largest volume so far, in the minute of its last trade: docs/venues/upstox.md.
VOLUME_PER_MINUTE = """
    SELECT symbol, toUnixTimestamp(toStartOfMinute(last_trade_time)) * 1000 AS minute, toUInt64(sum(grown)) AS volume
    FROM (
        SELECT symbol, last_trade_time, greatest(volume - max(volume) OVER before, 0) AS grown,
               row_number() OVER before AS number
        FROM tickers WHERE venue = 'upstox' AND volume IS NOT NULL
        WINDOW before AS (PARTITION BY symbol ORDER BY received_time, offset
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


def test_an_ingester_killed_in_the_middle_loses_nothing_and_doubles_nothing(fleet):
    fleet.replay(THIRTEEN)
    fleet.start_fleet()
    wait_for(lambda: fleet.sql("SELECT count() > 20000 FROM tickers"), expected=[(1,)], what="the first ticks")
    fleet.kill("upstox_ingester")
    fleet.restart("upstox_ingester")
    wait_for_ticks(fleet, THIRTEEN)

    assert_stands_as_recorded(fleet, THIRTEEN)


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
