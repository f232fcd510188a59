"""Recorded Binance sessions, heard whole: the figures are those of `ground_truth.json` beside the recordings."""

import gzip
import hashlib
from collections import defaultdict
from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from common.records import BookUpdate, FeedEvent, Quote, Record, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.binance import BinanceFeed

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
ONE_SYMBOL = "binance-btcusdt-20240808.jsonl.gz"
TEN_SYMBOLS = "binance-ten-symbols-20210405.jsonl.gz"
AGG_TRADES = "binance-rest-aggtrades-xrpeth-20191011.jsonl.gz"
SINGLES = "binance-singles-2021.jsonl.gz"
SESSIONS = (ONE_SYMBOL, TEN_SYMBOLS, SINGLES)
TOPICS = {Trade: "trades", Quote: "quotes", BookUpdate: "books"}
DAY_NS = 86_400 * 10**9
SHOWN_LEVELS = 20

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recordings: {CAPTURES} is not there")


class Event(msgspec.Struct):
    received_ns: int
    connection: str
    payload: str
    url: str = ""


@cache
def truth(name: str) -> dict:
    return msgspec.json.decode((CAPTURES / "ground_truth.json").read_bytes())["files"][name]


@cache
def events(name: str) -> list[Event]:
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()
    return [msgspec.json.decode(line, type=Event) for line in lines[1:]]


@cache
def frames(name: str) -> list[Frame]:
    return [
        Frame(event.received_ns, event.payload.encode(), "ws0", _question(event.url) if event.url else None)
        for event in events(name)
    ]


def _question(url: str) -> str:
    return "snapshot:" + url.partition("symbol=")[2].partition("&")[0]


@cache
def agg_trade_frames() -> list[Frame]:
    """Return the rows of the recorded pages as their stream would have told them."""
    rows = [row for event in events(AGG_TRADES) for row in msgspec.json.decode(event.payload)]
    wrapped = [{"stream": "xrpeth@aggTrade", "data": {"e": "aggTrade", "s": "XRPETH", **row}} for row in rows]
    return [Frame(row["T"] * 10**6, msgspec.json.encode(told)) for row, told in zip(rows, wrapped, strict=True)]


def heard(feed_frames: list[Frame], resume: Resume = Resume(), later_ns: int = 0) -> list[Record]:  # noqa: B008  frozen
    """Return the records that a new feed yields."""
    feed = BinanceFeed(Settings(), resume)
    list(feed.opening())
    later = (msgspec.structs.replace(frame, received_ns=frame.received_ns + later_ns) for frame in feed_frames)
    steps = (step for frame in later for step in hear(feed, frame))
    return [step for step in steps if isinstance(step, Record)]


@cache
def heard_once(name: str) -> list[Record]:
    return heard(agg_trade_frames() if name == AGG_TRADES else frames(name))


def of_symbols(name: str, kind: type[Record]) -> dict[str, list]:
    by_symbol = defaultdict(list)
    for record in heard_once(name):
        if isinstance(record, kind):
            by_symbol[record.symbol].append(record)
    return by_symbol


def marks(records: list[Record]) -> dict[tuple[str, str], int]:
    return {(TOPICS[type(record)], record.symbol): record.sequence for record in records if type(record) in TOPICS}


def names(records: list[Record], kind: type[Record]) -> list[tuple[str, str, int]]:
    return [(r.symbol, getattr(r, "kind", ""), r.sequence) for r in records if isinstance(r, kind)]


class DictBook:
    """The plainest book there is."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}

    def apply(self, update: BookUpdate) -> None:
        if update.kind == "snapshot":
            self.bids, self.asks = {}, {}
        _set(self.bids, update.bid_prices, update.bid_sizes)
        _set(self.asks, update.ask_prices, update.ask_sizes)

    def best(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        bid, ask = max(self.bids), min(self.asks)
        return bid, self.bids[bid], ask, self.asks[ask]

    def top20_sha256(self) -> str:
        bids = [f"b,{_plain(price)},{_plain(self.bids[price])}" for price in sorted(self.bids, reverse=True)]
        asks = [f"a,{_plain(price)},{_plain(self.asks[price])}" for price in sorted(self.asks)]
        return hashlib.sha256("\n".join(bids[:SHOWN_LEVELS] + asks[:SHOWN_LEVELS]).encode()).hexdigest()


def _set(side: dict[Decimal, Decimal], prices: tuple[str, ...], sizes: tuple[str, ...]) -> None:
    for price, size in zip(map(Decimal, prices), map(Decimal, sizes), strict=True):
        if size:
            side[price] = size
        else:
            side.pop(price, None)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.parametrize("name", [*SESSIONS, AGG_TRADES])
def test_trades_are_those_that_were_recorded(name):
    told = {symbol: facts["trades"] for symbol, facts in truth(name)["symbols"].items() if "trades" in facts}
    found = {}
    for symbol, trades in of_symbols(name, Trade).items():
        ids = [trade.sequence for trade in trades]
        sizes = [Decimal(trade.size) for trade in trades]
        notionals = [Decimal(trade.price) * Decimal(trade.size) for trade in trades]
        bought = [Decimal(trade.size) for trade in trades if trade.taker_side == "buy"]
        found[symbol] = {
            "received": len(trades),
            "distinct": len(set(ids)),
            "first_id": ids[0],
            "last_id": ids[-1],
            "contiguous": ids == list(range(ids[0], ids[-1] + 1)),
            "sum_qty": _plain(sum(sizes)),
            "sum_price_x_qty": _plain(sum(notionals)),
            "taker_buy_qty": _plain(sum(bought)) if bought else "0",
        }

    assert told == found


@pytest.mark.parametrize("name", SESSIONS)
def test_every_best_bid_and_ask_is_heard(name):
    assert truth(name)["messages"]["ws1 bookTicker"] == sum(map(len, of_symbols(name, Quote).values()))


@pytest.mark.parametrize("name", SESSIONS)
def test_books_rebuilt_from_the_records_are_the_recorded_ones(name):
    updates = of_symbols(name, BookUpdate)
    quotes = of_symbols(name, Quote)
    for symbol, facts in truth(name)["symbols"].items():
        told = facts["book"]
        found = _rebuilt(updates[symbol], {quote.sequence: quote for quote in quotes[symbol]})

        assert {key: told[key] for key in found} == found, symbol


def _rebuilt(updates: list[BookUpdate], quotes: dict[int, Quote]) -> dict:
    book = DictBook()
    equal = compared = crossed = 0
    for update in updates:
        book.apply(update)
        bid, bid_size, ask, ask_size = book.best()
        crossed += bid >= ask
        if update.kind == "delta" and update.last_sequence in quotes:
            quote = quotes[update.last_sequence]
            texts = (quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size)
            compared += 1
            equal += (bid, bid_size, ask, ask_size) == tuple(map(Decimal, texts))
    snapshot = updates[0]
    return {
        "snapshot": [snapshot.last_sequence, len(snapshot.bid_prices), len(snapshot.ask_prices)],
        "applied": len(updates) - 1,
        "level_rows": sum(len(update.bid_prices) + len(update.ask_prices) for update in updates[1:]),
        "crossed": crossed,
        "last_update_id": updates[-1].last_sequence,
        "final": {
            "levels": [len(book.bids), len(book.asks)],
            "best_bid": [_plain(bid), _plain(bid_size)],
            "best_ask": [_plain(ask), _plain(ask_size)],
            "top20_sha256": book.top20_sha256(),
        },
        "best_equal_to_bookTicker_of_same_u": f"{equal}/{compared}",
    }


@pytest.mark.parametrize("name", [*SESSIONS, AGG_TRADES])
def test_whole_sessions_have_no_gap(name):
    assert [] == [record for record in heard_once(name) if isinstance(record, FeedEvent)]


@pytest.mark.parametrize("name", [ONE_SYMBOL, TEN_SYMBOLS])
def test_deltas_go_on_from_each_other(name):
    for updates in of_symbols(name, BookUpdate).values():
        for before, after in pairwise(updates[1:]):
            assert before.last_sequence + 1 == after.first_sequence


@pytest.mark.parametrize("name", [ONE_SYMBOL, TEN_SYMBOLS])
def test_a_session_heard_again_says_nothing_new(name):
    resume = Resume(marks=marks(heard_once(name)))

    assert [] == heard(frames(name), resume, later_ns=DAY_NS)


@pytest.mark.parametrize("part", [0.0001, 0.003, 0.02, 0.5])
@pytest.mark.parametrize("name", [ONE_SYMBOL, TEN_SYMBOLS])
def test_a_session_cut_off_and_heard_again_is_complete_and_has_nothing_twice(name, part):
    first = heard(frames(name)[: int(len(frames(name)) * part)])

    both = first + heard(frames(name), Resume(marks=marks(first)), later_ns=DAY_NS)

    assert [] == [record for record in both if isinstance(record, FeedEvent)]
    for kind in (Trade, Quote, BookUpdate):
        assert sorted(names(heard_once(name), kind)) == sorted(names(both, kind))
