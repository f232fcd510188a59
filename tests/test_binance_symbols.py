"""The symbols of the Binance ingester change while it runs, on the sockets that live."""

import json

import pytest

from common.records import Quote
from common.settings import Settings
from ingesters.feed import Dial, Fetch, Frame, Recall, Resume, Send, hear
from ingesters.venues.binance import BinanceFeed
from simulator.demo.binance import Exchange
from simulator.demo.world import World
from simulator.server import Simulator, shell_of
from simulator.venues.binance import Binance
from tests.ingest_kit import records, redis_of_module, running, until

__all__ = ["redis_of_module"]

START_NS = 1_723_161_255_000_000_000
KEY = "symbols:binance_ingester"


def opened(*symbols):
    feed = BinanceFeed(Settings(binance_symbols=symbols), Resume())
    return feed, list(feed.opening())


def chosen(feed, *symbols):
    """Return what the feed does when Redis names these symbols."""
    return hear(feed, Frame(START_NS, "\n".join(symbols).encode(), "ours", reply_to=KEY))


def commands(steps):
    return [
        (step.wire, *map(json.loads(step.payload).get, ("method", "params"))) for step in steps if type(step) is Send
    ]


def quote(symbol, update_id):
    data = {"u": update_id, "s": symbol, "b": "1", "B": "1", "a": "2", "A": "1"}
    return Frame(START_NS, json.dumps({"stream": f"{symbol.lower()}@bookTicker", "data": data}).encode())


def test_the_choice_is_looked_at_every_three_seconds():
    feed, steps = opened("BTCUSDT")

    assert Recall(KEY, after_s=3.0) in steps
    assert [Recall(KEY, after_s=3.0)] == list(chosen(feed))


def test_a_new_symbol_is_subscribed_on_the_living_socket_and_its_book_asked_for():
    feed, _ = opened("BTCUSDT")
    steps = chosen(feed, "BTCUSDT", "ethusdt")

    assert [
        (
            "ws0",
            "SUBSCRIBE",
            ["ethusdt@trade", "ethusdt@bookTicker", "ethusdt@depth@100ms", "ethusdt@kline_1m", "ethusdt@ticker"],
        )
    ] == commands(steps)
    assert "snapshot:ETHUSDT" in [step.key for step in steps if isinstance(step, Fetch)]
    assert [] == [step for step in steps if isinstance(step, Dial)]


def test_a_symbol_that_is_wanted_no_longer_is_unsubscribed():
    feed, _ = opened("BTCUSDT", "ETHUSDT")
    ((wire, method, params),) = commands(chosen(feed, "ETHUSDT"))

    assert ("ws0", "UNSUBSCRIBE", "btcusdt@trade") == (wire, method, params[0])


def test_symbols_that_find_no_room_get_a_socket_of_their_own():
    feed, _ = opened(*(f"C{number}USDT" for number in range(50)))
    steps = chosen(feed, *(f"C{number}USDT" for number in range(50)), "ETHUSDT")
    (dial,) = [step for step in steps if isinstance(step, Dial)]

    assert ("ws1", True) == (dial.wire, "streams=ethusdt@trade/" in dial.url)
    assert [] == commands(steps)


def test_an_empty_choice_goes_back_to_the_settings():
    feed, _ = opened("BTCUSDT")
    chosen(feed, "ETHUSDT")
    methods = [(method, params[0]) for _, method, params in commands(chosen(feed))]

    assert [("UNSUBSCRIBE", "ethusdt@trade"), ("SUBSCRIBE", "btcusdt@trade")] == methods


def test_a_symbol_that_comes_back_goes_on_where_it_was():
    feed, _ = opened("BTCUSDT")
    hear(feed, quote("BTCUSDT", 7))
    chosen(feed, "ETHUSDT")
    steps = chosen(feed, "BTCUSDT")
    told = [hear(feed, quote("BTCUSDT", update_id)) for update_id in (7, 8)]

    assert "snapshot:BTCUSDT" not in [step.key for step in steps if isinstance(step, Fetch)]
    assert [[], [8]] == [[step.sequence for step in steps if isinstance(step, Quote)] for steps in told]


def last_ids(fleet):
    """Return the newest trade id of each symbol."""
    return {trade.symbol: int(trade.trade_id) for trade in records(fleet, "trades")}


@pytest.mark.redis
async def test_another_choice_in_redis_changes_what_is_recorded_without_a_reconnect(redis_of_module):
    fleet, shell = redis_of_module, shell_of()
    venue = Binance(Exchange(World(1).chance("binance"), shell.clock("binance")), shell)
    async with Simulator({"binance": venue}, shell) as simulator:
        environment = simulator.environment | {"BINANCE_SYMBOLS": "BTCUSDT"}
        async with running(fleet, "binance_ingester", environment) as ingester:
            await until(lambda: set(last_ids(fleet)), {"BTCUSDT"}, what="the first symbol")
            fleet.redis.sadd(KEY, "ETHUSDT")
            await until(lambda: set(last_ids(fleet)), {"BTCUSDT", "ETHUSDT"}, what="the second symbol")
            before = last_ids(fleet)
            await until(lambda: last_ids(fleet)["ETHUSDT"] > before["ETHUSDT"] + 5, what="more of it")
            reconnects = ingester.figures["reconnects_total"]

    assert before["BTCUSDT"] == last_ids(fleet)["BTCUSDT"]
    assert 0 == reconnects
