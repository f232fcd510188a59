"""python-binance, the client that most people use, takes the simulator for the venue."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from common.clock import NS_PER_MS, now_ns
from simulator.demo.binance import Exchange
from simulator.demo.order_book import ASK, BID
from simulator.demo.world import World
from simulator.server import Simulator, shell_of
from simulator.venues.binance import Binance

binance = pytest.importorskip("binance", reason="python-binance is not installed: see requirements-dev.in")

SYMBOL = "BTCUSDT"
STREAM = "depth@100ms"
SHOWN = 20


@asynccontextmanager
async def connected():
    """Yield the market, a client of its REST endpoints and one of its sockets."""
    shell = shell_of()
    market = Exchange(World(1).chance("binance"), shell.clock("binance"))
    async with Simulator({"binance": Binance(market, shell)}, shell) as simulator:
        client = binance.AsyncClient()
        client.API_URL = f"{simulator.environment['BINANCE_REST_URL']}/api"
        sockets = binance.BinanceSocketManager(client)
        sockets.STREAM_URL = f"{simulator.environment['BINANCE_WS_URL']}/"
        try:
            yield simulator, market, client, sockets
        finally:
            await client.close_connection()


async def test_its_questions_get_the_answers_that_it_expects():
    async with connected() as (_, _, client, _):
        await client.ping()
        trades = await client.get_historical_trades(symbol=SYMBOL, limit=10)
        again = await client.get_historical_trades(symbol=SYMBOL, fromId=trades[0]["id"], limit=10)
        aggregates = [row async for row in client.aggregate_trade_iter(SYMBOL, start_str="5 minutes ago UTC")]
        candles = await client.get_klines(symbol=SYMBOL, interval="1m")
        book = await client.get_order_book(symbol=SYMBOL, limit=100)

    assert trades == again
    assert [row["a"] for row in aggregates] == list(range(aggregates[0]["a"], aggregates[-1]["a"] + 1))
    assert {12} == {len(candle) for candle in candles}
    assert (100, 100) == (len(book["bids"]), len(book["asks"]))


async def test_a_refused_symbol_is_its_own_exception_with_the_venues_code():
    async with connected() as (_, _, client, _):
        with pytest.raises(binance.exceptions.BinanceAPIException) as caught:
            await client.get_order_book(symbol="NOPE")

    assert (-1121, "Invalid symbol.") == (caught.value.code, caught.value.message)


async def test_its_sockets_hear_every_trade_in_order():
    async with connected() as (_, _, _, sockets), sockets.trade_socket(SYMBOL) as socket:
        heard = [await asyncio.wait_for(socket.recv(), 20) for _ in range(20)]

    assert [trade["t"] for trade in heard] == list(range(heard[0]["t"], heard[0]["t"] + 20))


async def test_the_book_that_it_keeps_is_the_venues_book():
    async with connected() as (simulator, market, client, sockets):
        manager = binance.DepthCacheManager(client, SYMBOL, bm=sockets, limit=1000, conv_type=str, ws_interval=100)
        async with manager as cache:
            for _ in range(10):
                kept = await asyncio.wait_for(cache.recv(), 20)
            for life in simulator._lives:
                life.cancel()
            pair = market._pairs[SYMBOL]
            pair.act(now_ns() // NS_PER_MS)
            pair.flush(STREAM, now_ns() // NS_PER_MS)
            with suppress(TimeoutError):
                while True:
                    kept = await asyncio.wait_for(cache.recv(), 1)
        told = [
            [[pair.write.price(p), pair.write.size(s)] for p, s in pair.book.top(side, SHOWN)] for side in (BID, ASK)
        ]

    assert told == [[list(level) for level in side[:SHOWN]] for side in (kept.get_bids(), kept.get_asks())]
