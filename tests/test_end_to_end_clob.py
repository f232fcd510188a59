"""Recorded market channel sessions through the whole fleet: in the tables stands exactly what the recordings hold."""

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

TICKS = "polymarket-ws-ticks-20260607-1.jsonl.gz"
TRADES = "polymarket-ws-trades-20260310-1.jsonl.gz"
LEGACY = "polymarket-ws-legacy-20250617.jsonl.gz"
BOOKS = "polymarket-clob-books-20260311-1.jsonl.gz"
PROGRAM = "polymarket_clob_ingester"


def truth(name):
    return json.loads((CAPTURES / "ground_truth.json").read_text())["files"][name]


def play(fleet, *names):
    fleet.replay(*names)
    fleet.start_fleet()
    frames = sum(truth(name)["frames"] for name in names)
    wait_for(lambda: int(fleet.redis.hget(f"proc:{PROGRAM}", "frames_total") or 0) >= frames, what="heard")


def rows(fleet, table):
    return fleet.sql(f"SELECT count() FROM {table} WHERE venue = 'polymarket_clob'")[0][0]


def told_trades(fleet):
    names = ("count", "taker_buy", "sum_size", "sum_usd", "assets")
    found = fleet.sql(
        "SELECT count(), countIf(taker_side = 'buy'), sum(size), sum(notional), uniqExact(symbol) "
        "FROM trades WHERE venue = 'polymarket_clob'"
    )[0]
    return {name: Decimal(figure) for name, figure in zip(names, found, strict=True)}


@pytest.mark.parametrize("names", [(TICKS,), (TRADES, LEGACY)])
def test_a_recorded_session_stands_in_the_tables_as_it_was(fleet, names):
    expected = [truth(name) for name in names]
    trades = next(facts["trades"] for facts in expected if "trades" in facts)
    levels = {key: figure for facts in expected for key, figure in facts.get("levels", {}).items()}
    play(fleet, *names)
    wait_for(lambda: rows(fleet, "trades"), expected=trades["count"], what="trades")
    wait_for(
        lambda: fleet.sql(
            "SELECT sumIf(length(bid_prices) + length(ask_prices), kind = 'delta') FROM book_updates "
            "WHERE venue = 'polymarket_clob'"
        )[0][0],
        expected=levels["price changes"],
        what="levels of changes",
    )

    assert {name: Decimal(figure) for name, figure in trades.items()} == told_trades(fleet)
    assert [(levels.get("book levels", 0), levels["removals (size 0)"])] == fleet.sql(
        "SELECT sumIf(length(bid_prices) + length(ask_prices), kind = 'snapshot'), "
        "sum(countEqual(bid_sizes, 0) + countEqual(ask_sizes, 0)) FROM book_updates WHERE venue = 'polymarket_clob'"
    )
    assert [(sum(facts["messages"].get("ws1 book", 0) for facts in expected),)] == fleet.sql(
        "SELECT countIf(kind = 'snapshot') FROM book_updates WHERE venue = 'polymarket_clob'"
    )
    assert 0 == rows(fleet, "dead_letters")


def test_trades_stand_once_though_the_ingester_is_killed_and_hears_the_session_again(fleet):
    expected = truth(TRADES)["trades"]
    fleet.replay(TRADES)
    fleet.start_fleet()
    wait_for(lambda: rows(fleet, "trades") > 0, what="the first trades")
    fleet.kill(PROGRAM)
    fleet.restart(PROGRAM)
    frames = truth(TRADES)["frames"]
    wait_for(lambda: int(fleet.redis.hget(f"proc:{PROGRAM}", "frames_total") or 0) >= frames, what="heard again")
    wait_for(lambda: rows(fleet, "trades"), expected=expected["count"], what="trades")

    assert {name: Decimal(figure) for name, figure in expected.items()} == told_trades(fleet)


def test_recorded_answers_become_the_books_of_tokens_whose_socket_is_silent(fleet):
    fleet.replay(BOOKS)
    fleet.start_fleet()
    wait_for(lambda: rows(fleet, "book_updates"), expected=20, what="books")

    assert [(20, 20)] == fleet.sql(
        "SELECT uniqExact(symbol), countIf(kind = 'snapshot' AND bid_prices[1] < ask_prices[1]) FROM book_updates"
    )
