"""
Every venue under faults: cut, dropped, doubled, swapped, spoilt, refused, silent.

Afterwards what can be asked again is complete, books are those of the venue, what was lost is told, nobody was banned,
and the ingester never ended.
"""

import asyncio
import json
from decimal import Decimal
from itertools import pairwise

import pytest

from simulator.venues.okx_rest import ANSWERS_A_WINDOW
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
CONFIRMATIONS = 5
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


SPOILS = (("gap", 12), ("duplicate", 30), ("reorder", 12), ("garbage", 3), ("truncated", 4))
UNSEEN = ("gap", "truncated")  # where nothing is numbered, a lost frame leaves no trace


async def storm(session, spoils=SPOILS):
    """Do to a venue with a socket what can be done to it, one thing after the other."""
    session.put_clock(5.0)
    if session.venue == "upstox":
        session.side.door.expire()  # the next dial finds it out
    for _ in range(2):
        await session.struck("disconnect", 1, channel="socket")
        await asyncio.sleep(1.0)
    for kind, times in spoils:
        await session.struck(kind, times, channel="socket")
        await asyncio.sleep(0.2)
    session.order("status", channel="http", status=429, retry_after_s=1, times=2, for_s=4.0)
    session.order("status", channel="http", status=503, times=3, for_s=4.0)
    for kind in ("hang", "truncated", "disconnect"):
        session.order(kind, channel="http", times=1, for_s=4.0)
    if spoils is SPOILS:
        await session.struck("gap", 6, channel="socket")
    await session.struck("close", 1, channel="socket")
    session.put_clock(-5.0)
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
        if session.venue in ("okx", "alpaca"):
            pairs[symbol].flush()
        for side in ("bids", "asks"):
            if best(book, side, 20) != published_best(pairs[symbol], side, 20):
                return False
    return True


def equals_answered(session):
    """Whether every book is the one that the venue, which stands still, gives to whoever asks."""
    kept, _ = session.books()
    return bool(kept) and all(is_answered(session, token, book) for token, book in kept.items())


def is_answered(session, token, book):
    answer = json.loads(session.side._market.book(token) or b"{}")
    return all(
        {price: size for price, size in book[side].items() if size}
        == {Decimal(level["price"]): Decimal(level["size"]) for level in answer.get(side, ())}
        for side in ("bids", "asks")
    )


def assert_unharmed(session):
    """No ban, no refusal for good, garbage set aside, every cut told."""
    assert [] == [event for event in session.events("refused") if event.channel == "connection"]
    assert 2 <= len(session.events("disconnected"))
    assert len(session.records("dead_letters")) >= len(session.struck_subjects("garbage")) > 0
    assert_within_limits(session)


def assert_within_limits(session):
    """Never was the venue asked more than it allows: nobody was refused for it, let alone banned."""
    limits = session.simulator._shell.limits
    if session.venue == "binance":
        assert 0 == session.side._rest._weights._banned_until_s
    elif session.venue == "okx":
        asked = {name: window.most for name, window in session.side._rest._windows.items()}
        assert {} == {name: most for name, most in asked.items() if most > ANSWERS_A_WINDOW[name]}
    elif session.venue == "alpaca":
        assert session.side._rest._window.most <= limits.alpaca_per_min
    elif session.venue == "goldsky":
        assert session.side._window.most <= limits.goldsky_per_10s


@pytest.mark.parametrize("program", ["alpaca_crypto_ingester", "alpaca_stocks_ingester"])
async def test_alpacas_trades_are_complete_after_cuts(fleet, program):
    state = f"{program.removesuffix('_ingester')}_backfill"
    spoils = [one for one in SPOILS if one[0] not in UNSEEN]
    async with recorded(fleet, "alpaca", program, **FEW) as session:
        await until(session.is_delivering("trades"), give_up_s=30)
        await storm(session, spoils)
        await session.calm(session.is_delivering("trades"), "it goes on")
        await session.frozen()
        await until(lambda: not open_holes(session.state, state), give_up_s=60, what="holes closed")
        if program == "alpaca_crypto_ingester":
            await until(lambda: equals_published(session), give_up_s=30, what="the books")
        await asyncio.sleep(0.5)
        await session.ingester.stop()

        stored = session.records("trades")
        begun = {symbol: min(one.event_ns for one in stored if one.symbol == symbol) for symbol in session.trade_ids()}
        assert len(begun) > 1
        for symbol, from_ns in begun.items():
            expected = [row.number for row in session.side._market.rows(symbol) if row.at_ns >= from_ns]
            found = [int(one.rpartition("-")[2]) for one in session.trade_ids()[symbol]]
            assert sorted(expected) == sorted(found), symbol
        assert_unharmed(session)


@pytest.mark.parametrize("program", ["polymarket_clob_ingester", "upstox_ingester"])
async def test_what_cannot_be_asked_again_is_told_and_nothing_is_doubled(fleet, program):
    venue = SOCKETS[program]
    topic = TOPICS.get(venue, "books")
    async with recorded(fleet, venue, program, **FEW) as session:
        await until(session.is_delivering(topic), give_up_s=30)
        await storm(session)
        await session.calm(session.is_delivering(topic), "it goes on")
        if venue == "polymarket_clob":
            await session.frozen()
            await until(lambda: equals_answered(session), give_up_s=40, what="the books")
        await session.ingester.stop()

        trades = [(one.symbol, one.trade_id, one.event_ns, one.price, one.size) for one in session.records("trades")]
        assert len(set(trades)) == len(trades)
        assert session.events("gap")
        assert_unharmed(session)


MUTE = {
    "binance_ingester": {"BINANCE_MUTE_S": 2.0},
    "okx_ingester": {"OKX_MUTE_S": 2.0},
    "alpaca_crypto_ingester": {"ALPACA_MUTE_S": 2.0},
    "upstox_ingester": {"UPSTOX_MUTE_S": 2.0},
}


@pytest.mark.parametrize("program", MUTE)
async def test_a_subscription_that_is_acknowledged_and_never_delivers_is_found(fleet, program):
    venue = SOCKETS[program]
    async with recorded(fleet, venue, program, **FEW, **MUTE[program]) as session:
        session.order("gap", channel="socket", times=None)
        await until(lambda: bool(session.events("disconnected")), give_up_s=30, what="dialled again")
        await session.calm(session.is_delivering(TOPICS.get(venue, "trades")), "it delivers")

        assert not session.ingester.ended.done()


async def http_storm(session, *kinds):
    """Do to a venue that is asked what can be done to it."""
    session.put_clock(5.0)
    storms = [
        {"kind": "status", "status": 429, "retry_after_s": 1, "times": 2},
        {"kind": "status", "status": 503, "times": 3},
        {"kind": "disconnect", "times": 2},
        {"kind": "truncated", "times": 2},
        {"kind": "garbage", "times": 2},
        {"kind": "slow", "delay_s": 0.5, "times": 2},
        {"kind": "hang", "times": 1},
        *({"kind": kind, "times": 2} for kind in kinds),
    ]
    for one in storms:
        await session.struck(one.pop("kind"), channel="http", for_s=2.0, **one)
    session.put_clock(-5.0)


@pytest.mark.parametrize(
    ("venue", "kinds", "settings"),
    [
        (
            "goldsky",
            ("graphql_errors", "partial_data", "duplicate_event", "frozen_head", "indexing_errors"),
            {"GOLDSKY_POLL_S": 0.3},
        ),
        ("polygon", ("rpc_errors", "lagging_node"), {"POLYGON_POLL_S": 0.3}),
    ],
)
async def test_fills_are_those_of_the_ledger_each_once(fleet, venue, kinds, settings):
    async with recorded(fleet, venue, f"{venue}_ingester", **settings) as session:
        await until(lambda: len(session.records("order_events")) > 50, give_up_s=30)
        await http_storm(session, *kinds)
        await session.frozen()
        standing = set(session.side.facts(ids=True)["event_ids"])
        expected = confirmed(session) if venue == "polygon" else standing
        session.simulator.faults.clear()
        await until(lambda: len(expected - event_ids(session)), 0, give_up_s=60, what="all")
        await session.ingester.stop()

        ids = [event.event_id for event in session.records("order_events")]
        assert len(set(ids)) == len(ids)
        assert set(ids) <= standing
        assert [] == session.events("refused")
        assert_within_limits(session)


async def test_markets_are_those_of_the_ledger(fleet):
    async with recorded(fleet, "polymarket", "polymarket_ingester", POLYMARKET_POLL_S=0.3) as session:
        await http_storm(session)
        session.simulator.faults.clear()
        await until(lambda: market_ids(session) >= set(session.side.facts(ids=True)["market_ids"]), give_up_s=60)
        await session.ingester.stop()

        versions = [(one.market_id, one.event_ns, one.volume) for one in session.records("markets")]
        assert len(set(versions)) == len(versions)
        assert [] == session.events("refused")


def market_ids(session):
    return {market.market_id for market in session.records("markets")}


def confirmed(session):
    """Return the fills with enough blocks on top to be believed."""
    chain = session.side._source.chain
    return {f"{fill['transactionHash']}_{fill['orderHash']}" for fill in chain.fills(chain.head - CONFIRMATIONS)}


def event_ids(session):
    return {event.event_id for event in session.records("order_events")}
