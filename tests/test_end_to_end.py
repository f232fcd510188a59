"""Recorded sessions through the whole fleet: from the wire to the tables, exactly as much as the recordings hold."""

import hashlib
import json
from decimal import Decimal

import pytest

from tests.fleet_harness import CAPTURES, wait_for

pytestmark = [
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("captures"),
]

BTCUSDT = "binance-btcusdt-20240808.jsonl.gz"
TEN_SYMBOLS = "binance-ten-symbols-20210405.jsonl.gz"
SINGLES = "binance-singles-2021.jsonl.gz"
AGG_TRADES = "binance-rest-aggtrades-xrpeth-20191011.jsonl.gz"
ORDER_EVENTS = "goldsky-orderfilled-derived-1.jsonl.gz"
MARKETS = "polymarket-gamma-btc5m-closed-20260608.jsonl.gz"


def truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]


def plain(number):
    """Plain notation without trailing zeros."""
    text = f"{Decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def trades_of(fleet, symbol):
    found = fleet.sql(
        "SELECT count(), uniqExact(trade_id), sum(size), sum(notional), sumIf(size, taker_side = 'buy'), "
        "min(sequence), max(sequence), max(sequence) - min(sequence) + 1 = count() "
        f"FROM trades WHERE venue = 'binance' AND symbol = '{symbol}'"
    )[0]
    names = ("received", "distinct", "sum_qty", "sum_price_x_qty", "taker_buy_qty", "first_id", "last_id", "contiguous")
    told = dict(zip(names, found, strict=True))
    sums = {name: plain(told[name]) for name in ("sum_qty", "sum_price_x_qty", "taker_buy_qty")}
    return {**told, **sums, "contiguous": bool(told["contiguous"])}


def final_book(fleet, symbol):
    """Rebuild a book from its rows alone, the slow and obvious way."""
    rows = fleet.sql(
        "SELECT kind, bid_prices, bid_sizes, ask_prices, ask_sizes, last_sequence FROM book_updates "
        f"WHERE venue = 'binance' AND symbol = '{symbol}' ORDER BY offset"
    )
    bids, asks, last = {}, {}, 0
    for kind, bid_prices, bid_sizes, ask_prices, ask_sizes, version in rows:
        last = version
        if kind == "snapshot":
            bids, asks = {}, {}
        for side, prices, sizes in ((bids, bid_prices, bid_sizes), (asks, ask_prices, ask_sizes)):
            for price, size in zip(prices, sizes, strict=True):
                side[price] = size
                if size == 0:
                    del side[price]
    best_bids, best_asks = sorted(bids.items(), reverse=True), sorted(asks.items())
    lines = [f"b,{plain(price)},{plain(size)}" for price, size in best_bids[:20]]
    lines += [f"a,{plain(price)},{plain(size)}" for price, size in best_asks[:20]]
    return {
        "applied": sum(row[0] == "delta" for row in rows),
        "last_update_id": last,
        "final": {
            "levels": [len(bids), len(asks)],
            "best_bid": [plain(figure) for figure in best_bids[0]],
            "best_ask": [plain(figure) for figure in best_asks[0]],
            "top20_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        },
    }


def assert_binance(fleet, name):
    for symbol, expected in truth(name)["symbols"].items():
        found = trades_of(fleet, symbol)
        trades = expected.get("trades", {"received": 0})
        assert trades == {key: found[key] for key in trades}
        book = final_book(fleet, symbol)
        assert book == {key: expected["book"][key] for key in book}
    assert fleet.sql("SELECT count() FROM feed_events WHERE kind IN ('gap', 'resync', 'stale')") == [(0,)]


def expected_rows(name):
    expected = truth(name)
    books = [symbol["book"] for symbol in expected["symbols"].values()]
    return {
        "trades": sum(symbol["trades"]["distinct"] for symbol in expected["symbols"].values() if "trades" in symbol),
        "quotes": expected["messages"].get("ws1 bookTicker", 0),
        "book_updates": sum(book["applied"] + 1 for book in books),
    }


def wait_for_rows(fleet, expected, give_up_s=90):
    for table, rows in expected.items():
        wait_for(
            lambda table=table: fleet.sql(f"SELECT count() FROM {table}"),
            expected=[(rows,)],
            give_up_s=give_up_s,
            what=table,
        )


@pytest.mark.parametrize("name", [BTCUSDT, TEN_SYMBOLS, SINGLES])
def test_a_binance_recording_stands_in_the_tables_as_it_was(fleet, name):
    fleet.replay(name)
    fleet.start_fleet()

    wait_for_rows(fleet, expected_rows(name))

    assert_binance(fleet, name)


def test_the_same_recording_again_adds_nothing(fleet):
    fleet.replay(TEN_SYMBOLS)
    fleet.start_fleet()
    wait_for_rows(fleet, expected_rows(TEN_SYMBOLS))
    fleet.end("binance_ingester")
    fleet.redis.delete("proc:binance_ingester")
    fleet.restart("binance_ingester")
    frames = truth(TEN_SYMBOLS)["frames"]

    wait_for(lambda: int(fleet.redis.hget("proc:binance_ingester", "frames_total")) >= frames, what="heard again")
    fleet.end("binance_ingester")
    fleet.end("clickhouse_writer")

    assert_binance(fleet, TEN_SYMBOLS)
    assert expected_rows(TEN_SYMBOLS)["quotes"] == fleet.sql("SELECT count() FROM quotes")[0][0]


@pytest.mark.parametrize("victim", ["binance_ingester", "clickhouse_writer", "redis", "clickhouse"])
def test_a_binance_recording_is_whole_after_a_kill_in_the_middle(fleet, victim):
    fleet.replay(BTCUSDT)
    fleet.start_fleet()
    for rows in (5_000, 30_000):
        wait_for(lambda rows=rows: fleet.sql("SELECT count() FROM quotes")[0][0] > rows, what="the middle")
        fleet.kill(victim)
        fleet.restart(victim)

    wait_for_rows(fleet, expected_rows(BTCUSDT))

    assert_binance(fleet, BTCUSDT)


def history_figures(fleet):
    found = fleet.sql(
        "SELECT count(), uniqExact(trade_id), sum(size), sum(notional), sumIf(size, taker_side = 'buy'), "
        "min(toUInt64(trade_id)) AS first, max(toUInt64(trade_id)) AS last, last - first + 1 = count() "
        "FROM trades WHERE venue = 'binance' AND symbol = 'XRPETH' AND source = 'backfill'"
    )[0]
    names = ("received", "distinct", "sum_qty", "sum_price_x_qty", "taker_buy_qty", "first_id", "last_id", "contiguous")
    told = dict(zip(names, found, strict=True))
    sums = {name: plain(told[name]) for name in ("sum_qty", "sum_price_x_qty", "taker_buy_qty")}
    return {**told, **sums, "contiguous": bool(told["contiguous"])}


@pytest.mark.parametrize("kills", [0, 3])
def test_a_recording_of_answers_alone_becomes_its_trades_once(fleet, kills):
    expected = truth(AGG_TRADES)["symbols"]["XRPETH"]["trades"]
    fleet.replay(AGG_TRADES)
    fleet.start_fleet()
    for rows in range(1_000, 1_000 + kills * 3_000, 3_000):
        wait_for(lambda rows=rows: fleet.sql("SELECT count() FROM trades")[0][0] >= rows, what="the middle")
        fleet.kill("binance_ingester")
        fleet.restart("binance_ingester")

    wait_for(lambda: fleet.sql("SELECT count() FROM trades"), expected=[(expected["received"],)], what="trades")
    assert expected == history_figures(fleet)

    fleet.end("binance_ingester")
    fleet.redis.delete("proc:binance_ingester")
    fleet.restart("binance_ingester")
    wait_for(lambda: fleet.redis.hget("proc:binance_ingester", "frames_total") not in (None, "0"), what="asked again")
    fleet.end("binance_ingester")
    fleet.end("clickhouse_writer")

    assert expected == history_figures(fleet)


def order_figures(fleet):
    return fleet.sql(
        "SELECT role, count(), uniqExact(event_id), sum(if(maker_asset_id = '0', maker_amount, taker_amount)), "
        "sum(if(maker_asset_id = '0', taker_amount, maker_amount)) FROM order_events GROUP BY role ORDER BY role"
    )


def expected_order_figures():
    expected = truth(ORDER_EVENTS)
    return [
        (role, facts["events"], facts["events"], Decimal(facts["usd"]) * 10**6, Decimal(facts["shares"]) * 10**6)
        for role, facts in sorted((role, expected[role]) for role in ("maker_fill", "taker_order"))
    ]


@pytest.mark.parametrize("victim", [None, "goldsky_ingester", "trade_processor", "clickhouse_writer"])
def test_order_events_become_trades_once_whoever_is_killed(fleet, victim):
    fleet.replay(ORDER_EVENTS)
    fleet.start_fleet("trade_processor")
    if victim:
        wait_for(lambda: fleet.sql("SELECT count() FROM order_events")[0][0] > 0, what="the first page")
        fleet.kill(victim)
        fleet.restart(victim)
    fills = truth(ORDER_EVENTS)["maker_fill"]

    wait_for(lambda: fleet.sql("SELECT count() FROM trades"), expected=[(fills["events"],)], what="trades")
    wait_for_rows(fleet, {"order_events": truth(ORDER_EVENTS)["events"]})

    assert expected_order_figures() == order_figures(fleet)
    assert [(Decimal(fills["usd"]), Decimal(fills["shares"]), fills["events"])] == fleet.sql(
        "SELECT sum(notional), sum(size), uniqExact(trade_id) FROM trades WHERE venue = 'polymarket'"
    )


def test_markets_stand_once_however_often_they_are_read(fleet):
    expected = truth(MARKETS)["gamma"]
    fleet.environment["POLYMARKET_POLL_S"] = "0.5"
    fleet.replay(MARKETS)
    fleet.start_fleet()

    wait_for(
        lambda: fleet.sql(
            "SELECT count(), uniqExact(slug), countIf(neg_risk), countIf(closed), countIf(volume IS NULL) FROM markets"
        )[0],
        expected=tuple(
            expected[key] for key in ("distinct_markets", "distinct_slugs", "neg_risk", "closed", "without_volume")
        ),
        what="markets",
    )

    assert [(Decimal(expected["sum_volume"]),)] == fleet.sql("SELECT sum(volume) FROM markets")
    assert [(expected["distinct_tokens"],)] == fleet.sql("SELECT uniqExact(arrayJoin(token_ids)) FROM markets")


def test_nothing_can_be_missing_without_a_hole_in_the_running_numbers(fleet):
    fleet.replay(TEN_SYMBOLS)
    fleet.start_fleet()
    wait_for_rows(fleet, expected_rows(TEN_SYMBOLS))

    holes = [
        fleet.sql(f"SELECT shard, max(offset) + 1 - count() FROM {table} GROUP BY shard")
        for table in ("trades", "quotes", "book_updates")
    ]

    assert {0} == {missing for table in holes for _, missing in table}
