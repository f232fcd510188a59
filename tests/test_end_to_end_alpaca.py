"""A recorded Alpaca session and a living one through the whole fleet, from the socket to the tables."""

import json
from decimal import Decimal

import pytest
import requests

from ingesters.venues.alpaca_time import rfc3339_ns
from simulator.venues.alpaca_listener import KEY, SECRET
from tests.fleet_harness import CAPTURES, backfill, beginning_of, wait_for

pytestmark = [pytest.mark.redis, pytest.mark.clickhouse, pytest.mark.timeout(240)]

TWO_STOCKS = "alpaca-aig-bac-20131007.jsonl.gz"
SAMPLES = "alpaca-stream-samples-2021-2025.jsonl.gz"
# What a killed process did not hear is told as well, of the channel `redis`; a recording waits for it.
EVENTS = "SELECT count() FROM feed_events WHERE kind IN ('gap', 'resync', 'stale', 'refused') AND channel != 'redis'"


def truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]


def plain(number):
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def trades_of(fleet, symbol):
    rows, distinct, volume, notional, high, low = fleet.sql(
        "SELECT count(), uniqExact(exchange, trade_id), sum(size), sum(notional), max(price), min(price) "
        f"FROM trades WHERE venue = 'alpaca' AND symbol = '{symbol}'"
    )[0]
    sums = {"volume": volume, "sum_price_x_qty": notional, "high": high, "low": low}
    return {"count": rows, "distinct_exchange_and_id": distinct} | {name: plain(sums[name]) for name in sums}


def last_quote(fleet, symbol):
    found = fleet.sql(
        "SELECT bid_price, bid_size, ask_price, ask_size FROM quotes "
        f"WHERE venue = 'alpaca' AND symbol = '{symbol}' ORDER BY offset DESC LIMIT 1"
    )[0]
    return [plain(figure) for figure in found]


def minutes_of(fleet, symbol):
    rows = fleet.sql(
        "SELECT formatDateTime(toStartOfMinute(event_time), '%Y-%m-%dT%H:%i:%SZ', 'UTC') AS minute, "
        "argMin(price, offset), max(price), min(price), argMax(price, offset), sum(size), sum(notional), count() "
        f"FROM trades WHERE venue = 'alpaca' AND symbol = '{symbol}' GROUP BY minute ORDER BY minute"
    )
    return [[minute, *map(plain, figures), trades] for minute, *figures, trades in rows]


def assert_two_stocks(fleet):
    for symbol, expected in truth(TWO_STOCKS)["symbols"].items():
        found = trades_of(fleet, symbol)
        assert {name: expected["trades"][name] for name in found} == found
        assert expected["last_quote_bp_bs_ap_as"] == last_quote(fleet, symbol)
        quotes = fleet.sql(f"SELECT count() FROM quotes WHERE symbol = '{symbol}'")
        assert [(expected["quotes"],)] == quotes
        assert expected["ohlcv_1m"] == minutes_of(fleet, symbol)
    assert [(0,)] == fleet.sql(EVENTS)
    assert [(0,)] == fleet.sql("SELECT count() FROM dead_letters")


def wait_for_two_stocks(fleet):
    symbols = truth(TWO_STOCKS)["symbols"].values()
    rows = {
        "trades": sum(symbol["trades"]["count"] for symbol in symbols),
        "quotes": sum(symbol["quotes"] for symbol in symbols),
    }
    for table, expected in rows.items():
        ask = f"SELECT count() FROM {table}"
        wait_for(lambda ask=ask: fleet.sql(ask), expected=[(expected,)], give_up_s=90, what=table)


@pytest.mark.usefixtures("captures")
def test_a_recording_stands_in_the_tables_as_it_was(fleet):
    fleet.replay(TWO_STOCKS)
    fleet.start_fleet()

    wait_for_two_stocks(fleet)

    assert_two_stocks(fleet)
    lost = "symbol = 'AIG' AND event_time BETWEEN '2013-10-07 14:00:00' AND '2013-10-07 14:05:00'"
    fleet.command(f"ALTER TABLE trades DELETE WHERE {lost} SETTINGS mutations_sync = 2")
    asked = ("alpaca_stocks", "--symbol", "AIG", "--from", "2013-10-07T13:59", "--to", "2013-10-07T14:06")
    (row,) = backfill(fleet, *asked)
    wait_for_two_stocks(fleet)
    (again,) = backfill(fleet, *asked[:-1], "2013-10-07T14:07")

    assert ("done", True, "done", 0) == (row["state"], row["fetched"] > 0, again["state"], again["fetched"])
    assert_two_stocks(fleet)


@pytest.mark.usefixtures("captures")
@pytest.mark.parametrize("victim", ["alpaca_stocks_ingester", "redis"])
def test_a_recording_is_whole_after_a_kill_in_the_middle(fleet, tmp_path, victim):
    file, events = beginning_of(TWO_STOCKS, tmp_path, events=12_000)
    messages = [one for event in events if event["direction"] == "in" for one in json.loads(event["payload"])]
    quotes, trades = ([one for one in messages if one["T"] == kind] for kind in "qt")
    fleet.replay(file)
    fleet.start_fleet()
    for rows in (len(quotes) // 20, len(quotes) // 2):
        wait_for(lambda rows=rows: fleet.sql("SELECT count() FROM quotes")[0][0] > rows, what="the middle")
        fleet.kill(victim)
        fleet.restart(victim)
    for table, told in (("quotes", quotes), ("trades", trades)):
        wait_for(lambda t=table: fleet.sql(f"SELECT count() FROM {t}"), expected=[(len(told),)], what=table)

    assert [(len(trades), sum(one["s"] for one in trades))] == fleet.sql(
        "SELECT uniqExact(symbol, trade_id), toUInt64(sum(size)) FROM trades"
    )
    assert [(0,)] == fleet.sql(EVENTS)
    assert [(0,)] == fleet.sql("SELECT count() FROM dead_letters")


@pytest.mark.usefixtures("captures")
def test_every_documented_message_reaches_its_table(fleet):
    fleet.replay(SAMPLES)
    fleet.start_fleet()
    expected = {
        "trades": 6,
        "quotes": 8,
        "bar_versions": 7,
        "trade_corrections": 2,
        "statuses": 3,
        "book_updates": 1,
    }

    for table, rows in expected.items():
        wait_for(lambda table=table: fleet.sql(f"SELECT count() FROM {table}"), expected=[(rows,)], what=table)

    assert [("3447222699101865076",)] == fleet.sql("SELECT trade_id FROM trades WHERE symbol = 'AVAX/USD'")
    assert [(1680782066838232225,)] == fleet.sql(
        "SELECT toUnixTimestamp64Nano(event_time) FROM trades WHERE trade_id = 'K-20230406-628'"
    )


def test_trades_missed_while_the_ingesters_were_dead_are_fetched_and_none_stands_twice(fleet):
    fleet.start_simulator("--demo")
    fleet.start_program("clickhouse_writer")
    programs = ("alpaca_stocks_ingester", "alpaca_crypto_ingester")
    for program in programs:
        fleet.start_program(program)
    wait_for(lambda: fleet.sql("SELECT uniqExact(symbol) FROM trades"), expected=[(5,)], what="trades of all symbols")
    for program in programs:
        fleet.kill(program)
    wait_for(lambda: newest(fleet, "published") - newest(fleet, "sent") > 20, what="trades that nobody hears")
    for program in programs:
        fleet.restart(program)
    asks = "SELECT uniqExact(symbol) FROM feed_events WHERE kind = 'backfilled'"
    wait_for(lambda: fleet.sql(asks), expected=[(5,)], what="all holes filled")

    for program in programs:
        fleet.end(program)

    for path, symbols in {"/v2/stocks/trades": "AAPL,NVDA,SPY", "/v1beta3/crypto/us/trades": "BTC/USD,ETH/USD"}.items():
        told = rest_trades(fleet, path, symbols)
        wait_for(lambda told=told: missing(fleet, told), expected=set(), give_up_s=20, what="trades of REST not stored")
    rows, distinct = fleet.sql("SELECT count(), uniqExact(symbol, trade_id) FROM trades")[0]
    assert rows == distinct
    assert [(5,)] == fleet.sql("SELECT uniqExact(symbol) FROM trades WHERE source = 'backfill'")
    assert [(0,)] == fleet.sql("SELECT count() FROM dead_letters")


def rest_trades(fleet, path, symbols):
    """Return what the venue holds: symbol, exchange, number and time of each trade."""
    url = fleet.environment["ALPACA_REST_URL"] + path
    keys = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
    body = requests.get(url, params={"symbols": symbols, "limit": 10_000}, headers=keys, timeout=10).json()
    return [
        (symbol, row.get("x", ""), row["i"], rfc3339_ns(row["t"]))
        for symbol, rows in body["trades"].items()
        for row in rows
    ]


def missing(fleet, told):
    """Return the trades between the first and the last stored one of their symbol that are not stored."""
    rows = fleet.sql("SELECT symbol, exchange, trade_id, toUnixTimestamp64Nano(event_time) FROM trades")
    stored = {(symbol, exchange, int(trade_id.rpartition("-")[2])) for symbol, exchange, trade_id, _ in rows}
    times = {symbol: [row[3] for row in rows if row[0] == symbol] for symbol in {row[0] for row in rows}}
    spans = {symbol: (min(of_symbol), max(of_symbol)) for symbol, of_symbol in times.items()}
    return {
        (symbol, exchange, number)
        for symbol, exchange, number, at_ns in told
        if spans[symbol][0] <= at_ns <= spans[symbol][1] and (symbol, exchange, number) not in stored
    }


def newest(fleet, side):
    """Count the trades that the simulator has published, or sent to somebody."""
    ledger = requests.get(f"{fleet.environment['SIMULATOR_URL']}/_ledger", timeout=5).json()["alpaca"][side]
    return sum(tally["messages"] for kinds in ledger.values() for kind, tally in kinds.items() if kind.startswith("t"))
