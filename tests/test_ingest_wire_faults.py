"""An invented Binance with every fault of a wire: its messages stand once, and what is missing is told."""

from contextlib import asynccontextmanager

import pytest

from simulator.faults import Fault
from simulator.ledger import Ranges
from simulator.run import demo
from tests.ingest_kit import events, records, redis_of_module, running, until

STALE_SYMBOL = "ETHUSDT"  # the venue's first snapshot of it is older than the stream: a hole of its own making

__all__ = ["redis_of_module"]

pytestmark = [pytest.mark.redis, pytest.mark.timeout(60)]


@pytest.fixture
def redis(redis_of_module):
    redis_of_module.redis.flushall()
    return redis_of_module


class Session:
    """The simulator, an ingester that listens to it, and what stands in Redis."""

    def __init__(self, simulator, ingester, fleet):
        self.simulator, self.ingester, self.fleet = simulator, ingester, fleet
        self.symbols = simulator.environment["BINANCE_SYMBOLS"].split(",")

    def order(self, kind, **more):
        return self.simulator.faults.order(Fault(kind=kind, venue="binance", **more))

    async def strike(self, kind, **more):
        """Order a fault and wait until it was carried out as often as ordered."""
        before = len(self.simulator.faults.executed)
        fault = self.order(kind, **more)
        times = more.get("times", 1)
        await until(lambda: len(self.simulator.faults.executed) - before >= times, what=kind)
        return fault

    def has_books(self):
        held = set()
        for key in self.fleet.redis.keys("shard:{books:*}"):
            held |= {name.rpartition(".")[2] for name in self.fleet.redis.hkeys(key)}
        return held >= set(self.symbols)

    async def settle(self):
        """Wait until every book is in step and trades flow again."""
        figures = self.ingester.figures
        await until(self.has_books, what="books")
        await until(self.books_in_step, what="in step")
        goal = figures["records_total|trades"] + 5
        await until(lambda: figures["records_total|trades"] >= goal, what="trades")

    def books_in_step(self):
        """Whether the latest that was told of each book is not a gap."""
        latest = {event.symbol: event.kind for event in events(self.fleet, "gap", "resync") if event.channel == "depth"}
        return "gap" not in latest.values()

    def told(self, kind, channel):
        return [event for event in events(self.fleet, kind) if event.channel == channel]


@asynccontextmanager
async def listening(fleet, **faults):
    async with demo(seed=7) as simulator:
        for kind, more in faults.items():
            simulator.faults.order(Fault(kind=kind, venue="binance", **more))
        async with running(fleet, "binance_ingester", simulator.environment) as ingester:
            session = Session(simulator, ingester, fleet)
            await session.settle()
            yield session
            await ingester.stop()
        assert_trades(session)
        assert_books(session)


def assert_trades(session):
    """Each trade stands once; those between that do not stand are told as a gap, to the number."""
    published = session.simulator.ledger.facts()["binance"]["published"]
    for symbol in session.symbols:
        trades = [trade for trade in records(session.fleet, "trades") if trade.symbol == symbol]
        ids = [int(trade.trade_id) for trade in trades]
        if not ids:
            continue
        assert len(ids) == len(set(ids)), f"{symbol}: doubled"
        assert set(ids) <= set(range(published[symbol]["trade"]["first_id"], published[symbol]["trade"]["last_id"] + 1))
        told = Ranges()
        for event in session.told("gap", "trade"):
            if event.symbol == symbol:
                told.add(int(event.expected), int(event.found) - 1)
        missing = set(range(min(ids), max(ids) + 1)) - set(ids)
        late = {int(event.expected) for event in session.told("resync", "trade") if event.symbol == symbol}
        filled = {int(trade.trade_id) for trade in trades if trade.source == "backfill"}
        assert missing == {number for first, last in told.spans for number in range(first, last + 1)} - late - filled


def assert_books(session):
    """Each book is contiguous or a gap is told, and equals the venue's wherever that can be seen."""
    compared = 0
    for symbol in session.symbols:
        quotes = {quote.sequence: quote for quote in records(session.fleet, "quotes") if quote.symbol == symbol}
        gaps = {int(event.expected) for event in session.told("gap", "depth") if event.symbol == symbol}
        last, sides = None, ({}, {})
        for row in (row for row in records(session.fleet, "books") if row.symbol == symbol):
            if row.kind == "snapshot":
                assert last is None or last + 1 in gaps, f"{symbol}: a hole behind {last} that is not told"
                sides = ({}, {})
            else:
                assert row.first_sequence <= last + 1 <= row.last_sequence, f"{symbol}: a hole behind {last}"
            last = row.last_sequence
            apply(sides, row)
            if quote := quotes.get(last):
                compared += 1
                assert (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size) == best(sides)
    assert compared > 0


def apply(sides, row):
    changes = ((row.bid_prices, row.bid_sizes), (row.ask_prices, row.ask_sizes))
    for side, (prices, sizes) in zip(sides, changes, strict=True):
        for price, size in zip(prices, sizes, strict=True):
            side[price] = size
            if float(size) == 0:
                del side[price]


def best(sides):
    bid, ask = max(sides[0], key=float), min(sides[1], key=float)
    return bid, sides[0][bid], ask, sides[1][ask]


async def test_a_quiet_wire_leaves_no_hole(redis):
    async with listening(redis) as session:
        assert [] == session.told("gap", "trade")
        assert {STALE_SYMBOL} >= {event.symbol for event in session.told("gap", "depth")}


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("disconnect", {}, "without a word"),
        ("close", {"code": 1008}, "closed by the venue: 1008"),
        ("shutdown", {"delay_s": 0.3}, "announced that it shuts this server down"),
    ],
)
async def test_a_connection_that_ends_in_the_middle_is_told_and_the_book_is_begun_again(redis, kind, more, reason):
    async with listening(redis) as session:
        await session.strike(kind, channel="socket", match="btcusdt@depth", **more)
        await until(lambda: len(events(redis, "connected")), 2)
        await session.settle()

        ended = events(redis, "disconnected")
        assert reason in ended[0].detail
        back = events(redis, "connected")[1]
        assert ended[0].from_ns <= ended[0].to_ns <= back.from_ns
        assert {event.symbol for event in session.told("gap", "depth")} <= set(session.symbols)


async def test_many_ends_in_a_row_leave_no_hole_that_is_not_told(redis):
    async with listening(redis) as session:
        for connection in (1, 2, 3):
            await session.strike("disconnect", channel="socket", connection=connection)
        await until(lambda: len(events(redis, "connected")) > 1)
        await session.settle()


async def test_a_venue_that_refuses_the_way_back_is_dialled_until_it_lets_us_in(redis):
    async with listening(redis) as session:
        session.order("refuse", status=429, times=1)
        session.order("refuse", status=403, times=1)
        await session.strike("disconnect", channel="socket", connection=1)
        await until(lambda: len(events(redis, "connected")), 2)
        await session.settle()

        assert session.ingester.figures["reconnects_total"] == 3


async def test_dropped_deltas_are_a_gap_and_a_resync_with_their_stretch(redis):
    async with listening(redis) as session:
        await session.strike("gap", match="solusdt@depth", times=2)
        await until(lambda: "SOLUSDT" in [event.symbol for event in session.told("resync", "depth")])
        await session.settle()
        gap, resync = (
            next(event for event in session.told(kind, "depth") if event.symbol == "SOLUSDT")
            for kind in ("gap", "resync")
        )

        assert gap.from_ns <= gap.to_ns <= resync.to_ns
        assert gap.from_ns == resync.from_ns
        assert 0 == session.ingester.figures["reconnects_total"]


async def test_dropped_trades_are_a_gap_to_the_number(redis):
    async with listening(redis) as session:
        known = "binance_ingester.mark.BTCUSDT"
        await until(lambda: redis.redis.hexists("shard:{stream:trades}", known), what="a trade before the gap")
        await session.strike("gap", match="btcusdt@trade", times=3)
        await until(lambda: bool(session.told("gap", "trade")))
        await session.settle()
        missing = [int(event.found) - int(event.expected) for event in session.told("gap", "trade")]

        assert 3 == sum(missing)


async def test_what_is_sent_twice_stands_once(redis):
    async with listening(redis) as session:
        for stream in ("trade", "depth", "bookTicker"):
            await session.strike("duplicate", match=f"btcusdt@{stream}", times=3)
        await session.settle()

        assert [] == session.told("gap", "trade")
        assert {STALE_SYMBOL} >= {event.symbol for event in session.told("gap", "depth")}
    quotes = [quote.sequence for quote in records(redis, "quotes") if quote.symbol == "BTCUSDT"]
    assert len(quotes) == len(set(quotes))


async def test_what_comes_out_of_order_is_recorded_all_the_same(redis):
    async with listening(redis) as session:
        # The frame comes after its successor on the wire, whatever stream that is of.
        await session.strike("reorder", match="btcusdt@trade", times=20)
        await session.strike("reorder", match="btcusdt@depth", times=5)
        await session.settle()


@pytest.mark.parametrize("kind", ["garbage", "truncated"])
async def test_what_cannot_be_read_is_set_aside_with_its_bytes_and_the_rest_goes_on(redis, kind):
    async with listening(redis) as session:
        await session.strike(kind, channel="socket", match="ethusdt@depth", times=2)
        await until(lambda: len(records(redis, "dead_letters")), 2)
        await session.settle()
        letters = records(redis, "dead_letters")

        assert 0 == session.ingester.figures["reconnects_total"]
    if kind == "garbage":
        assert ["{\x00 this is no JSON"] * 2 == [letter.payload for letter in letters]
    else:
        assert all(letter.payload.startswith('{"stream":"ethusdt@depth@100ms"') for letter in letters)
        assert 1 <= len(session.told("gap", "depth"))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("status", {"status": 429, "retry_after_s": 1}),
        ("garbage", {}),
    ],
    ids=["429", "garbage"],
)
async def test_a_book_is_asked_for_until_there_is_an_answer(redis, kind, more):
    async with listening(
        redis, **{kind: {"channel": "http", "match": "symbol=BNBUSDT", "times": 2, **more}}
    ) as session:
        assert session.has_books()
        assert 2 == len(session.simulator.faults.executed)
