"""Recorded OKX sessions, heard whole: the figures are those of `ground_truth.json` beside the recordings."""

import gzip
import hashlib
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
import pytest

from common.records import Bar, BookSnapshot, BookUpdate, FeedEvent, Quote, Record, Ticker, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, hear
from ingesters.venues.okx import OkxFeed
from ingesters.venues.okx_ladder import Ladder
from ingesters.venues.okx_wire import BOOKS

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
BOOKS_400 = "okx-books-20220513.jsonl.gz"
THREE_SOCKETS = "okx-tbt-three-sockets-20210722.jsonl.gz"
NEWEST = "okx-public-singles-202608.jsonl.gz"
SINGLES = "okx-singles-2022.jsonl.gz"
SNAPSHOT = "okx-books-snapshot-single-20220812.jsonl.gz"
WHOLE = ((BOOKS_400, "ws1"), (SNAPSHOT, "ws1"), *((THREE_SOCKETS, f"ws{n}") for n in (1, 2, 3)))
ALL = (BOOKS_400, THREE_SOCKETS, NEWEST, SINGLES, SNAPSHOT)
DAY_NS = 86_400 * 10**9
SHOWN_LEVELS = 20

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"no recordings: {CAPTURES} is not there")


class Event(msgspec.Struct):
    received_ns: int
    connection: str
    direction: str
    payload: str


@cache
def truth(name: str) -> dict:
    return msgspec.json.decode((CAPTURES / "ground_truth.json").read_bytes())["files"][name]


@cache
def frames(name: str, connection: str = "") -> list[Frame]:
    """Return what came from the sockets, or from one of them."""
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()
    events = [msgspec.json.decode(line, type=Event) for line in lines[1:]]
    return [
        Frame(event.received_ns, event.payload.encode(), event.connection)
        for event in events
        if event.direction == "in" and event.connection != "http" and connection in ("", event.connection)
    ]


def heard(feed_frames: list[Frame], resume: Resume = Resume(), later_ns: int = 0) -> list[Record]:  # noqa: B008  frozen
    """Return the records that a new feed yields."""
    feed = OkxFeed(Settings(), resume)
    list(feed.opening())
    later = (msgspec.structs.replace(frame, received_ns=frame.received_ns + later_ns) for frame in feed_frames)
    return [step for frame in later for step in hear(feed, frame) if isinstance(step, Record)]


@cache
def heard_once(name: str, connection: str = "") -> list[Record]:
    return heard(frames(name, connection))


def by_symbol(records: list[Record], kind: type[Record]) -> dict[str, list]:
    found = defaultdict(list)
    for record in records:
        if isinstance(record, kind):
            found[record.symbol].append(record)
    return found


class DictBook:
    """The plainest book there is."""

    def __init__(self) -> None:
        self.bids: dict[Decimal, Decimal] = {}
        self.asks: dict[Decimal, Decimal] = {}
        self.unknown_deletes = 0

    def apply(self, update: BookUpdate) -> None:
        if update.kind == "snapshot":
            self.bids, self.asks = {}, {}
        self._set(self.bids, update.bid_prices, update.bid_sizes)
        self._set(self.asks, update.ask_prices, update.ask_sizes)

    def _set(self, side: dict[Decimal, Decimal], prices: tuple[str, ...], sizes: tuple[str, ...]) -> None:
        for price, size in zip(map(Decimal, prices), map(Decimal, sizes), strict=True):
            if size:
                side[price] = size
            else:
                self.unknown_deletes += side.pop(price, None) is None

    def is_crossed(self) -> bool:
        return bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)

    def final(self) -> dict:
        bids, asks = sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
        lines = [f"b,{plain(price)},{plain(size)}" for price, size in bids[:SHOWN_LEVELS]]
        lines += [f"a,{plain(price)},{plain(size)}" for price, size in asks[:SHOWN_LEVELS]]
        return {
            "levels": [len(bids), len(asks)],
            "best_bid": [plain(figure) for figure in bids[0]] if bids else None,
            "best_ask": [plain(figure) for figure in asks[0]] if asks else None,
            "top20_sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        }


def plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def verified(name: str, connection: str) -> Counter[str]:
    """Return by symbol how many checksums agree with a ladder that follows the frames by themselves."""
    ladders: dict[str, Ladder] = {}
    agree: Counter[str] = Counter()
    for frame in frames(name, connection):
        if b'"action"' not in frame.payload:
            continue
        push = BOOKS.decode(frame.payload)
        symbol = push.arg.symbol
        for row in push.data:
            if push.action == "snapshot":
                ladders[symbol] = Ladder(row)
            else:
                ladders[symbol].apply(row)
            agree[symbol] += ladders[symbol].checksum == row.checksum
    return agree


@pytest.mark.parametrize("name", ALL)
def test_trades_are_those_that_were_recorded_each_once(name):
    told = {symbol: facts["trades"] for symbol, facts in truth(name)["symbols"].items() if "trades" in facts}
    found = {}
    for symbol, trades in by_symbol(heard_once(name), Trade).items():
        ids = [trade.sequence for trade in trades]
        bought = [Decimal(trade.size) for trade in trades if trade.taker_side == "buy"]
        found[symbol] = {
            "distinct": len(ids),
            "sum_qty": plain(sum(Decimal(trade.size) for trade in trades)),
            "sum_price_x_qty": plain(sum(Decimal(trade.price) * Decimal(trade.size) for trade in trades)),
            "taker_buy_qty": plain(sum(bought)) if bought else "0",
            "first_id": ids[0],
            "last_id": ids[-1],
            "contiguous": ids == list(range(ids[0], ids[-1] + 1)),
        }

    assert {symbol: {key: facts[key] for key in found[symbol]} for symbol, facts in told.items()} == found


@pytest.mark.parametrize(("name", "connection"), WHOLE)
def test_books_rebuilt_from_the_records_are_the_recorded_ones(name, connection):
    updates = by_symbol(heard_once(name, connection), BookUpdate)
    agree = verified(name, connection)
    for symbol, facts in truth(name)["symbols"].items():
        told = next(books for channel, books in facts["books"].items() if channel.startswith(connection))
        book, crossed = DictBook(), 0
        for update in updates[symbol]:
            book.apply(update)
            crossed += book.is_crossed()
        kinds = Counter(update.kind for update in updates[symbol])

        assert told == {
            "snapshots": kinds["snapshot"],
            "updates": kinds["delta"],
            "checksum_ok": agree[symbol],
            "checksum_bad": 0,
            "unknown_deletes": book.unknown_deletes,
            "crossed": crossed,
            "final": book.final(),
        }


@pytest.mark.parametrize(("name", "connection"), WHOLE)
def test_whole_sessions_have_no_gap(name, connection):
    assert [] == [record for record in heard_once(name, connection) if isinstance(record, FeedEvent)]


def test_three_sockets_of_one_book_are_never_mixed():
    for symbol, updates in by_symbol(heard_once(THREE_SOCKETS), BookUpdate).items():
        book = DictBook()
        for update in updates:
            book.apply(update)
        finals = [books["final"] for books in truth(THREE_SOCKETS)["symbols"][symbol]["books"].values()]

        assert book.final() in finals
        assert ["snapshot"] == [update.kind for update in updates if update.kind == "snapshot"]


def test_books_whose_literals_were_shortened_contradict_their_checksums_and_are_told_instead_of_stored():
    shortened = {
        symbol: facts["books"]["ws1 books-l2-tbt"]
        for symbol, facts in truth(SINGLES)["symbols"].items()
        if facts.get("books", {}).get("ws1 books-l2-tbt", {}).get("checksum_bad")
    }
    events = [record for record in heard_once(SINGLES) if isinstance(record, FeedEvent)]

    assert sorted(shortened) == sorted(event.symbol for event in events)
    assert {("gap", "books-l2-tbt")} == {(event.kind, event.channel) for event in events}
    assert ["BTC-USD-220304-32000-P"] == list(by_symbol(heard_once(SINGLES), BookUpdate))


@pytest.mark.parametrize(
    ("name", "kind", "channel"),
    [
        (BOOKS_400, Ticker, "tickers"),
        (NEWEST, Ticker, "tickers"),
        (SINGLES, Ticker, "tickers"),
        (NEWEST, Bar, "candle1m"),
        (SINGLES, Bar, "candle1m"),
        (NEWEST, BookSnapshot, "books5"),
    ],
)
def test_every_message_of_a_channel_is_a_record(name, kind, channel):
    told = sum(count for what, count in truth(name)["messages"].items() if what.endswith(f" {channel}"))

    assert told == sum(map(len, by_symbol(heard_once(name), kind).values()))


def test_a_best_bid_and_ask_is_a_quote_and_half_of_one_is_a_book_of_one_level():
    quotes = by_symbol(heard_once(SINGLES), Quote)
    halves = [top for tops in by_symbol(heard_once(SINGLES), BookSnapshot).values() for top in tops if top.depth == 1]

    assert truth(SINGLES)["messages"]["ws1 bbo-tbt"] == sum(map(len, quotes.values())) + len(halves)
    assert [("BTC-USD-220624-50000-C", (), ("0.0015",))] == [(h.symbol, h.bid_prices, h.ask_prices) for h in halves]


@pytest.mark.parametrize("name", ALL)
def test_trades_of_a_session_heard_again_are_repeats(name):
    marks = {("trades", trade.symbol): trade.sequence for trade in heard_once(name) if isinstance(trade, Trade)}
    again = heard(frames(name), Resume(marks=marks), later_ns=DAY_NS)

    assert {} == by_symbol(again, Trade)
    assert [] == [record for record in again if isinstance(record, FeedEvent) and record.channel == "trades"]
