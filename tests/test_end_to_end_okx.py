"""Recorded OKX sessions through the whole fleet: from the wire to the tables, exactly what the recordings hold."""

import hashlib
import json

import pytest

from tests.fleet_harness import CAPTURES, wait_for
from tests.ingest_kit import events, records
from tests.test_end_to_end import plain, wait_for_rows

pytestmark = [
    pytest.mark.redis,
    pytest.mark.clickhouse,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("captures"),
]

BOOKS_400 = "okx-books-20220513.jsonl.gz"
THREE_SOCKETS = "okx-tbt-three-sockets-20210722.jsonl.gz"
NEWEST = "okx-public-singles-202608.jsonl.gz"
SINGLES = "okx-singles-2022.jsonl.gz"


def truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]


def told_trades(name):
    symbols = truth(name)["symbols"].items()
    keys = ("distinct", "sum_qty", "sum_price_x_qty", "taker_buy_qty", "first_id", "last_id")
    return {symbol: [facts["trades"][key] for key in keys] for symbol, facts in symbols if "trades" in facts}


def trades(fleet):
    found = fleet.sql(
        "SELECT symbol, count(), sum(size), sum(notional), sumIf(size, taker_side = 'buy'), min(toUInt64(trade_id)), "
        "max(toUInt64(trade_id)) FROM trades WHERE venue = 'okx' GROUP BY symbol"
    )
    return {
        symbol: [count, *map(plain, sums), *ids]
        for symbol, count, *sums, first, last in found
        for ids in [(first, last)]
    }


def told_books(name):
    """Return symbol -> figures of the first socket."""
    first = {
        symbol: next(iter(facts["books"].values()))
        for symbol, facts in truth(name)["symbols"].items()
        if "books" in facts
    }
    return {symbol: {key: books[key] for key in ("snapshots", "updates", "final")} for symbol, books in first.items()}


def books(fleet):
    rows = fleet.sql(
        "SELECT symbol, kind, bid_prices, bid_sizes, ask_prices, ask_sizes FROM book_updates WHERE venue = 'okx' "
        "ORDER BY shard, offset"
    )
    kept = {}
    for symbol, kind, bid_prices, bid_sizes, ask_prices, ask_sizes in rows:
        book = kept.setdefault(symbol, {"snapshots": 0, "updates": 0})
        book["snapshots" if kind == "snapshot" else "updates"] += 1
        if kind == "snapshot":
            book["bids"], book["asks"] = {}, {}
        for side, prices, sizes in (("bids", bid_prices, bid_sizes), ("asks", ask_prices, ask_sizes)):
            book[side] |= dict(zip(prices, sizes, strict=True))
            book[side] = {price: size for price, size in book[side].items() if size}
    return {
        symbol: {"snapshots": book["snapshots"], "updates": book["updates"], "final": final(book)}
        for symbol, book in kept.items()
    }


def final(book):
    bids, asks = sorted(book["bids"].items(), reverse=True), sorted(book["asks"].items())
    lines = [f"b,{plain(price)},{plain(size)}" for price, size in bids[:20]]
    lines += [f"a,{plain(price)},{plain(size)}" for price, size in asks[:20]]
    return {
        "levels": [len(bids), len(asks)],
        "best_bid": [plain(figure) for figure in bids[0]] if bids else None,
        "best_ask": [plain(figure) for figure in asks[0]] if asks else None,
        "top20_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def expected_rows(name):
    return {
        "trades": sum(figures[0] for figures in told_trades(name).values()),
        "book_updates": sum(book["snapshots"] + book["updates"] for book in told_books(name).values()),
    }


@pytest.mark.parametrize("name", [BOOKS_400, THREE_SOCKETS, NEWEST])
def test_an_okx_recording_stands_in_the_tables_as_it_was(fleet, name):
    fleet.replay(name)
    fleet.start_fleet()

    wait_for_rows(fleet, expected_rows(name))

    assert told_trades(name) == trades(fleet)
    assert told_books(name) == books(fleet)
    assert [(0,)] == fleet.sql("SELECT count() FROM feed_events WHERE kind IN ('gap', 'resync', 'stale')")


def test_trades_stand_beside_books_that_their_checksums_contradict(fleet):
    fleet.replay(SINGLES)
    fleet.start_fleet()
    wait_for_rows(fleet, {"trades": expected_rows(SINGLES)["trades"]})

    assert told_trades(SINGLES) == trades(fleet)
    gaps = {symbol for (symbol,) in fleet.sql("SELECT DISTINCT symbol FROM feed_events WHERE kind = 'gap'")}
    assert {"BTC-USD-SWAP", "BTC-USDT", "BTC-USDT-220325"} == gaps


def test_the_trades_of_an_okx_recording_are_whole_after_a_kill(fleet):
    fleet.replay(THREE_SOCKETS)
    fleet.start_fleet()
    wait_for(lambda: fleet.sql("SELECT count() FROM trades")[0][0] > 0, what="the first trades")
    fleet.kill("okx_ingester")
    fleet.restart("okx_ingester")

    wait_for_rows(fleet, {"trades": expected_rows(THREE_SOCKETS)["trades"]})

    assert told_trades(THREE_SOCKETS) == trades(fleet)


def test_live_trades_are_whole_and_once_however_often_the_ingester_is_killed(redis_only):
    fleet = redis_only
    fleet.start_simulator("--demo")
    fleet.start_program("okx_ingester")
    for filled in range(3):
        known = len(records(fleet, "trades"))
        wait_for(lambda known=known: len(records(fleet, "trades")) > known + 100, what="trades")
        fleet.kill("okx_ingester")
        fleet.restart("okx_ingester")
        wait_for(lambda filled=filled: len(events(fleet, "backfilled")) > filled, what="back-fill")
    wait_for(lambda: fleet.redis.get("state:okx_backfill"), expected="{}", what="no open hole")
    fleet.end("okx_ingester")

    by_symbol = {}
    for trade in records(fleet, "trades"):
        by_symbol.setdefault(trade.symbol, []).append(int(trade.trade_id))
    assert {symbol: list(range(min(ids), max(ids) + 1)) for symbol, ids in by_symbol.items()} == {
        symbol: sorted(ids) for symbol, ids in by_symbol.items()
    }


def test_what_is_asked_for_on_the_grid_shares_one_time(fleet):
    fleet.environment["OKX_BOOKS_FULL_INTERVAL_S"] = "2"
    fleet.start_simulator("--demo")
    fleet.environment["OKX_BOOKS_FULL_INTERVAL_S"] = "2"
    fleet.start_program("clickhouse_writer")
    fleet.start_program("okx_ingester")
    cycles = (
        "SELECT symbol, event_time FROM book_snapshots WHERE source = 'rest' AND venue = 'okx' "
        "GROUP BY symbol, event_time HAVING groupArraySorted(2)(depth) = [400, 5000]"
    )
    shared = (
        f"SELECT count() FROM ({cycles}) AS cycles WHERE (symbol, event_time) IN "
        "(SELECT symbol, event_time FROM tickers WHERE venue = 'okx')"
    )

    wait_for(lambda: fleet.sql(shared)[0][0] >= 10, what="two cycles of five symbols")

    assert [(0,)] == fleet.sql("SELECT count() FROM feed_events WHERE kind = 'refused'")
