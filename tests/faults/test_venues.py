"""
Every venue under faults: cut, dropped, doubled, swapped, spoilt, refused, silent.

Afterwards what can be asked again is complete, books are those of the venue, what was lost is told, nobody was banned,
and the ingester never ended.
"""

import asyncio
from itertools import pairwise

import pytest

from tests.faults.venue_kit import best, open_holes, published_best, recorded
from tests.ingest_kit import redis_of_module, until

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]

SOCKETS = {
    "binance_ingester": "binance",
    "okx_ingester": "okx",
    "polymarket_clob_ingester": "polymarket_clob",
    "alpaca_crypto_ingester": "alpaca",
    "upstox_ingester": "upstox",
}
TOPICS = {"upstox": "tickers"}
FEW = {
    "BINANCE_SYMBOLS": ["BTCUSDT", "ETHUSDT"],
    "OKX_SYMBOLS": ["BTC-USDT", "ETH-USDT"],
    "ALPACA_CRYPTO_SYMBOLS": ["BTC/USD", "ETH/USD"],
    "POLYMARKET_MARKETS": ["top:3"],
}


@pytest.fixture
def fleet(redis_of_module):
    redis_of_module.redis.flushall()
    return redis_of_module


async def storm(session):
    """Do to a venue with a socket what can be done to it, one thing after the other."""
    for _ in range(2):
        await session.struck("disconnect", 1, channel="socket")
        await asyncio.sleep(1.0)
    for kind, times in (("gap", 12), ("duplicate", 30), ("reorder", 12), ("garbage", 3), ("truncated", 4)):
        await session.struck(kind, times, channel="socket")
        await asyncio.sleep(0.2)
    session.order("status", channel="http", status=429, retry_after_s=1, times=2, for_s=4.0)
    session.order("status", channel="http", status=503, times=3, for_s=4.0)
    await session.struck("gap", 6, channel="socket")
    await session.struck("close", 1, channel="socket")
    session.order("silence", for_s=1.5)
    await asyncio.sleep(2.0)


@pytest.mark.parametrize("program", ["binance_ingester", "okx_ingester"])
async def test_numbered_trades_are_complete_and_books_are_the_venues_own(fleet, program):
    venue = SOCKETS[program]
    async with recorded(fleet, venue, program, **FEW) as session:
        await until(session.is_delivering("trades"), give_up_s=30)
        await storm(session)
        await session.calm(session.is_delivering("trades"), "it goes on")
        await until(lambda: not open_holes(session.state, f"{venue}_backfill"), give_up_s=60, what="holes are closed")
        await session.frozen()
        await until(lambda: equals_published(session), give_up_s=30, what="the books")
        await session.ingester.stop()

        for symbol, ids in session.trade_ids().items():
            numbers = sorted(map(int, ids))
            assert len(set(numbers)) == len(numbers), f"{symbol}: doubled"
            assert [] == [pair for pair in pairwise(numbers) if pair[1] != pair[0] + 1], f"{symbol}: missing"
        _, breaks = session.books()
        told = [event.symbol for event in session.events("gap")]
        assert all(count <= told.count(symbol) for symbol, count in breaks.items())
        assert lost_symbols(session) <= {symbol.replace("-", "").lower() for symbol in told}
        assert_unharmed(session)


def lost_symbols(session):
    """Return the symbols of which a numbered frame was dropped, as plain words."""
    numbered = ("@trade", "@depth", "trades-all:", "books:")
    subjects = [one for one in session.struck_subjects("gap") if any(word in one for word in numbered)]
    names = [one.partition("@")[0] if "@" in one else one.partition(":")[2] for one in subjects]
    return {name.replace("-", "").lower() for name in names}


def equals_published(session):
    """Whether the best levels of every book are those of the venue, which stands still."""
    pairs = session.side._market._pairs
    kept, _ = session.books()
    if not kept:
        return False
    for symbol, book in kept.items():
        for stream in getattr(pairs[symbol], "pending", ()):
            pairs[symbol].flush(stream, 0)
        if session.venue == "okx":
            pairs[symbol].flush()
        for side in ("bids", "asks"):
            if best(book, side, 20) != published_best(pairs[symbol], side, 20):
                return False
    return True


def assert_unharmed(session):
    """No ban, no refusal for good, garbage set aside, every cut told."""
    assert [] == [event for event in session.events("refused") if event.channel == "connection"]
    assert 2 <= len(session.events("disconnected"))
    assert len(session.records("dead_letters")) >= len(session.struck_subjects("garbage")) > 0
    if session.venue == "binance":
        assert 0 == session.side._rest._weights._banned_until_s
