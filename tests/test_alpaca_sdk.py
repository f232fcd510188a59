"""The vendor's own client against the simulator: what it does not understand, the venue would not have said."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from simulator.run import demo
from simulator.venues.alpaca_listener import KEY, SECRET

pytest.importorskip("alpaca", reason="alpaca-py is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning"),
]


@contextlib.asynccontextmanager
async def listening(stream):
    """Run a stream until enough was heard."""
    running = asyncio.create_task(stream._run_forever())
    try:
        yield
    finally:
        await stream.stop_ws()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def heard(queue, kinds):
    """Return the first of each kind of thing that a stream gives."""
    found = {}
    async with asyncio.timeout(20):
        while set(found) != kinds:
            one = await queue.get()
            found.setdefault(type(one).__name__, one)
    return found


async def test_the_vendors_stock_stream_hears_trades_and_quotes():
    from alpaca.data.live import StockDataStream  # noqa: PLC0415  only where it is installed

    async with demo() as simulator:
        url = simulator.environment["ALPACA_WS_URL"] + "/v2/iex"
        stream, queue = StockDataStream(KEY, SECRET, url_override=url), asyncio.Queue()
        stream.subscribe_trades(queue.put, "SPY")
        stream.subscribe_quotes(queue.put, "SPY")
        async with listening(stream):
            found = await heard(queue, {"Trade", "Quote"})

    assert ("SPY", True) == (found["Trade"].symbol, found["Trade"].price > 0)
    assert found["Quote"].bid_price < found["Quote"].ask_price


async def test_the_vendors_crypto_stream_hears_books():
    from alpaca.data.live import CryptoDataStream  # noqa: PLC0415  only where it is installed

    async with demo() as simulator:
        url = simulator.environment["ALPACA_WS_URL"] + "/v1beta3/crypto/us"
        stream, queue = CryptoDataStream(KEY, SECRET, url_override=url), asyncio.Queue()
        stream.subscribe_orderbooks(queue.put, "BTC/USD")
        stream.subscribe_trades(queue.put, "BTC/USD")
        async with listening(stream):
            found = await heard(queue, {"Orderbook", "Trade"})

    assert found["Orderbook"].reset
    assert found["Trade"].id > 2**53


async def test_the_vendors_historical_client_walks_the_pages():
    from alpaca.data.historical import StockHistoricalDataClient  # noqa: PLC0415  only where it is installed
    from alpaca.data.requests import StockTradesRequest  # noqa: PLC0415  only where it is installed

    async with demo() as simulator:
        while len(simulator._venues["alpaca"]._market.rows("SPY")) < 5:  # noqa: ASYNC110  trades make no event
            await asyncio.sleep(0.05)
        client = StockHistoricalDataClient(KEY, SECRET, url_override=simulator.environment["ALPACA_REST_URL"])
        start = datetime.now(UTC) - timedelta(minutes=5)
        request = StockTradesRequest(symbol_or_symbols=["SPY"], start=start, feed="iex")
        found = await asyncio.to_thread(client.get_stock_trades, request)

    assert len(found.data["SPY"]) >= 5
