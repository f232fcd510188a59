"""Recorded market channel sessions, heard whole: the figures are those of `ground_truth.json` beside the recordings."""

import gzip
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
import pytest

from common.records import BookUpdate, DeadLetter, FeedEvent, Record, Status, Trade
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Resume, hear
from ingesters.venues import polymarket_clob_wire as wire
from ingesters.venues.polymarket_clob import PolymarketClobFeed
from ingesters.venues.polymarket_clob_hash import expected_hash
from tests.clob_kit import Rebuilt

CAPTURES = Path(__file__).parents[2] / "shared" / "captures"
TICKS = "polymarket-ws-ticks-20260607-1.jsonl.gz"
TRADES = "polymarket-ws-trades-20260310-1.jsonl.gz"
LEGACY = tuple(f"polymarket-ws-legacy-202506{day}.jsonl.gz" for day in (17, 19, 24))
BOOKS = "polymarket-clob-books-20260311-1.jsonl.gz"
SINGLES = "polymarket-singles-2026.jsonl.gz"
SOCKETS = (TICKS, TRADES, *LEGACY)
HALF_A_SECOND_NS = 500_000_000

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
def events(name: str) -> list[Event]:
    lines = gzip.decompress((CAPTURES / name).read_bytes()).splitlines()
    return [event for line in lines[1:] if (event := msgspec.json.decode(line, type=Event)).direction == "in"]


def frames(name: str) -> list[Frame]:
    return [
        Frame(event.received_ns, event.payload.encode(), "ws0") for event in events(name) if event.connection == "ws1"
    ]


def heard(feed_frames: Iterable[Frame], resume: Resume = Resume(), answer=None) -> list[Record]:  # noqa: B008  frozen
    """Return the records of a new feed; its clock strikes twice a second of the recording."""
    feed = PolymarketClobFeed(Settings(), resume)
    list(feed.opening())
    records, struck_ns = [], 0
    for frame in feed_frames:
        if frame.received_ns - struck_ns > HALF_A_SECOND_NS:
            struck_ns = frame.received_ns
            for step in hear(feed, Frame(struck_ns, b"", reply_to="tick")):
                if isinstance(step, Record):
                    records.append(step)
                elif answer and isinstance(step, Fetch):
                    reply = Frame(struck_ns, answer(step), reply_to=step.key)
                    records += [one for one in hear(feed, reply) if isinstance(one, Record)]
        records += [step for step in hear(feed, frame) if isinstance(step, Record)]
    return records


@cache
def heard_once(name: str) -> list[Record]:
    return heard(frames(name))


def plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.parametrize("name", SOCKETS)
def test_every_level_of_every_book_and_change_is_told(name):
    updates = [record for record in heard_once(name) if isinstance(record, BookUpdate)]
    levels = Counter()
    for update in updates:
        levels[update.kind] += len(update.bid_prices) + len(update.ask_prices)
        if update.kind == "delta":
            levels["removed"] += sum(not float(size) for size in update.bid_sizes + update.ask_sizes)
    expected = truth(name).get("levels", {})

    assert expected.get("book levels", 0) == levels["snapshot"]
    assert expected.get("price changes", 0) == levels["delta"]
    assert expected.get("removals (size 0)", 0) == levels["removed"]
    assert truth(name)["messages"].get("ws1 book", 0) == sum(update.kind == "snapshot" for update in updates)


@pytest.mark.parametrize("name", [TICKS, TRADES])
def test_trades_are_those_that_were_recorded(name):
    trades = [record for record in heard_once(name) if isinstance(record, Trade)]
    found = {
        "count": len({(trade.symbol, trade.trade_id) for trade in trades}),
        "taker_buy": sum(trade.taker_side == "buy" for trade in trades),
        "sum_size": plain(sum(Decimal(trade.size) for trade in trades)),
        "sum_usd": plain(sum(Decimal(trade.price) * Decimal(trade.size) for trade in trades)),
        "assets": len({trade.symbol for trade in trades}),
    }

    assert truth(name)["trades"] == found
    assert found["count"] == len(trades)


@pytest.mark.parametrize("name", [TICKS, *LEGACY])
def test_every_token_is_told_of(name):
    symbols = {record.symbol for record in heard_once(name) if isinstance(record, BookUpdate | Trade)}

    assert truth(name)["assets"] == len(symbols)


@pytest.mark.parametrize("name", [TICKS, TRADES])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.4, 1.0])
def test_trades_of_a_session_cut_off_and_heard_again_are_complete_and_none_is_twice(name, part):
    all_frames = frames(name)[:20_000]
    first = heard(all_frames[: int(len(all_frames) * part)])
    marks = {("trades", trade.symbol): trade.sequence for trade in first if isinstance(trade, Trade)}

    again = heard(all_frames, Resume(marks=marks))

    ids = [(trade.symbol, trade.trade_id) for trade in first + again if isinstance(trade, Trade)]
    whole = {(trade.symbol, trade.trade_id) for trade in heard(all_frames) if isinstance(trade, Trade)}
    assert sorted(whole) == sorted(ids)
    assert whole


@pytest.mark.parametrize("name", LEGACY)
def test_hashes_of_socket_books_are_the_venues_own(name):
    books = [wire.MESSAGE.decode(frame.payload) for frame in frames(name)]
    verdicts = Counter(
        expected_hash(book) == book.hash for book in books if isinstance(book, wire.BookMessage) and expected_hash(book)
    )

    assert truth(name).get("book_hash_equal", 0) == verdicts[True]
    assert 0 == verdicts[False]


def test_hashes_of_answered_books_are_the_venues_own():
    books = [book for event in events(BOOKS) for book in wire.REST_BOOKS.decode(event.payload)]
    equal = sum(expected_hash(book) == book.hash for book in books)

    assert truth(BOOKS)["books"] == {"books": len(books), "hash_equal": equal}


def test_the_hash_is_that_of_the_clients_own_tests():
    told = wire.RestBook(
        asset_id="100",
        timestamp="123456789",
        market="0xaabbcc",
        hash="x",
        bids=[wire.Level("0.3", "100"), wire.Level("0.4", "100")],
        asks=[wire.Level("0.6", "100"), wire.Level("0.7", "100")],
        min_order_size="100",
        tick_size="0.01",
        neg_risk=False,
        last_trade_price="0.5",
    )

    assert "0458ea5755c9f73d64a14636fa5c36ed460ec394" == expected_hash(told)


def test_one_message_of_every_type_is_understood_and_what_is_none_is_kept_whole():
    records = heard_once(SINGLES)
    # Two books, and three changes; of those one tells of one token in three levels. Two statuses are of a tick size.
    expected = {BookUpdate: 5, Trade: 2, Status: 6, DeadLetter: truth(SINGLES)["messages"]["ws1 ?"]}
    unknown = [event for event in records if isinstance(event, FeedEvent) and event.channel == "no event_type"]

    assert expected == {kind: sum(isinstance(one, kind) for one in records) for kind in expected}
    assert 1 == len(unknown)


@pytest.mark.parametrize("name", [TICKS, TRADES, *LEGACY])
def test_no_field_of_real_messages_is_new(name):
    events_told = [event for event in heard_once(name) if isinstance(event, FeedEvent)]

    assert [] == [event for event in events_told if event.kind == "schema_change"]


class PrunedVenue:
    """What the venue would have answered: levels beyond the best prices that it told were gone."""

    def __init__(self, feed_frames):
        self._frames = iter(feed_frames)
        self._books = {}

    def __iter__(self):
        for frame in self._frames:
            message = wire.MESSAGE.decode(frame.payload)
            if isinstance(message, wire.PriceChange):
                for change in message.price_changes:
                    self._apply(change, message.timestamp)
            yield frame

    def _apply(self, change, at_ms):
        bids, asks, _ = self._books.get(change.asset_id, ({}, {}, 0))
        side = bids if change.side == "BUY" else asks
        side[float(change.price)] = change.size
        bid, ask = float(change.best_bid), float(change.best_ask)
        bids = {price: size for price, size in bids.items() if price <= bid and float(size)}
        asks = {price: size for price, size in asks.items() if price >= ask and float(size)}
        bids.setdefault(bid, "1")  # made up: an order from before the recording
        asks.setdefault(ask, "1")
        self._books[change.asset_id] = bids, asks, at_ms

    def answer(self, fetch):
        tokens = [one["token_id"] for one in msgspec.json.decode(fetch.body)]
        return msgspec.json.encode([self._told(token) for token in tokens if token in self._books])

    def _told(self, token):
        bids, asks, at_ms = self._books[token]
        sides = (sorted(bids.items()), sorted(asks.items(), reverse=True))
        told = [[{"price": f"{price:g}", "size": size} for price, size in side] for side in sides]
        return {"asset_id": token, "timestamp": at_ms, "bids": told[0], "asks": told[1]}


def test_stale_levels_of_a_real_session_are_found_and_cured():
    whole = frames(TICKS)
    begin_ns, end_ns = (whole[0].received_ns + seconds * 10**9 for seconds in (440, 545))
    venue = PrunedVenue([frame for frame in whole if begin_ns < frame.received_ns < end_ns])
    records = heard(venue, answer=venue.answer)
    told = [record for record in records if isinstance(record, FeedEvent)]
    stale = {event.detail for event in told if event.kind == "gap"} - {"no book came before the changes"}
    best = {token: (max(bids), min(asks)) for token, (bids, asks, _) in venue._books.items()}
    ours = {token: Rebuilt.of(records, token) for token in best}

    assert "the best prices are others than the venue tells" in stale
    assert Counter(event.symbol for event in told if event.kind == "gap") == Counter(
        event.symbol for event in told if event.kind == "resync"
    )
    assert best == {token: (max(bids), min(asks)) for token, (bids, asks) in ours.items()}
