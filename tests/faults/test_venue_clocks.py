"""A venue whose clock is five seconds off is recorded as one whose clock is right: its times stand as it told them."""

from collections import Counter

import pytest

from common.clock import NS_PER_S
from tests.faults.venue_kit import recorded
from tests.ingest_kit import redis_of_module, until

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120)]

OFF_S = 5.0
# (venue, topic, how late it tells things when its clock is right, what a clock that runs backwards makes true)
PROGRAMS = {
    "binance_ingester": ("binance", "trades", 0.0, set()),
    "okx_ingester": ("okx", "trades", 0.0, set()),
    "polymarket_ingester": ("polymarket", "markets", 0.0, set()),
    "polymarket_clob_ingester": ("polymarket_clob", "books", 0.0, set()),
    "goldsky_ingester": ("goldsky", "order_events", 3.0, set()),
    "polygon_ingester": ("polygon", "order_events", 10.0, set()),
    "alpaca_stocks_ingester": ("alpaca", "trades", 0.0, set()),
    "alpaca_crypto_ingester": ("alpaca", "trades", 0.0, set()),
    "upstox_ingester": ("upstox", "tickers", 0.0, {"resync"}),
}
SETTINGS = {
    "BINANCE_SYMBOLS": ["BTCUSDT"],  # another one begins with a book that is out of date
    "POLYMARKET_MARKETS": ["top:3"],
    "POLYMARKET_POLL_S": 0.3,
    "GOLDSKY_POLL_S": 0.3,
    "POLYGON_POLL_S": 0.3,
}
ONCE = {
    "trades": lambda trade: (trade.symbol, trade.trade_id),
    "order_events": lambda event: event.event_id,
}


@pytest.fixture
def fleet(redis_of_module):
    redis_of_module.redis.flushall()
    return redis_of_module


@pytest.mark.parametrize("ahead_s", [OFF_S, -OFF_S], ids=["ahead", "behind"])
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_clock_that_is_off_loses_doubles_and_alarms_nothing(fleet, program, ahead_s):
    venue, topic, late_s, backwards = PROGRAMS[program]
    async with recorded(fleet, venue, program, **SETTINGS) as session:
        await until(session.is_delivering(topic), give_up_s=30)
        known, told = len(session.records(topic)), Counter(map(kind_of, session.events()))
        session.put_clock(ahead_s)
        await until(lambda: is_off(session.records(topic)[known:], ahead_s - late_s), give_up_s=60, what="its times")
        await session.ingester.stop()

        stored = Counter(map(ONCE[topic], session.records(topic))) if topic in ONCE else {}
        assert {} == {fact: times for fact, times in stored.items() if times > 1}
        assert backwards >= {kind for kind, _ in Counter(map(kind_of, session.events())) - told}
        assert [] == session.records("dead_letters")


def kind_of(event):
    return event.kind, event.channel


def is_off(records, ahead_s):
    """Whether a few records have come of which the venue's time is that far from ours, to a second or two."""
    off_s = [(one.event_ns - one.received_ns) / NS_PER_S for one in records if one.event_ns]
    return sum(abs(found_s - ahead_s) < 3.0 for found_s in off_s) > 5
