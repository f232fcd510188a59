"""The book rule of Binance: whatever the wire drops, repeats or mixes up, the records make the venue's book."""

from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import BookUpdate, FeedEvent
from common.settings import Settings
from ingesters.feed import Dial, Fetch, Frame, Resume, Step, hear
from ingesters.venues.binance import BinanceFeed
from ingesters.venues.binance_books import LEAST_WAITING, MOST_WAITING
from ingesters.venues.binance_roster import STREAMS

SYMBOL = "BTCUSDT"
ONE_SYMBOL = Settings(binance_symbols=(SYMBOL,))
START_NS = 1_723_161_255_000_000_000
TURN_NS = 100_000_000
SECOND_NS = 10**9

Book = dict[tuple[str, str], str]  # (side, price) -> size


class Venue:
    """A book that changes one level at a time, and remembers how it looked after each change."""

    def __init__(self) -> None:
        self.history: list[Book] = [{("bids", "9"): "1", ("asks", "11"): "1"}]

    @property
    def version(self) -> int:
        return len(self.history) - 1

    def delta(self, changes: list[tuple[str, str, str]], now_ns: int) -> bytes:
        first = self.version + 1
        for side, price, size in changes:
            levels = {**self.history[-1], (side, price): size}
            self.history.append({key: size for key, size in levels.items() if size != "0"})
        last = {(side, price): size for side, price, size in changes}
        return delta(first, self.version, now_ns, _levels(last, "bids"), _levels(last, "asks"))

    def snapshot(self, version: int) -> bytes:
        book = self.history[version]
        bids, asks = _levels(book, "bids"), _levels(book, "asks")
        return msgspec.json.encode({"lastUpdateId": version, "bids": bids, "asks": asks})


def _levels(book: Book, side: str) -> list[tuple[str, str]]:
    return [(price, size) for (of, price), size in book.items() if of == side]


def delta(first: int, last: int, now_ns: int, bids: object = (), asks: object = ()) -> bytes:
    data = {"e": "depthUpdate", "E": now_ns // 10**6, "s": SYMBOL, "U": first, "u": last, "b": bids, "a": asks}
    return msgspec.json.encode({"stream": f"{SYMBOL.lower()}@depth@100ms", "data": data})


class Listener:
    """A feed on a bad wire, with all that it ever yielded, over restarts too."""

    def __init__(self) -> None:
        self.venue = Venue()
        self.records: list[BookUpdate | FeedEvent] = []
        self.book: Book = {}
        self.dropped: list[int] = []
        self.now_ns = START_NS
        self.restart()

    @property
    def version(self) -> int | None:
        return max((record.last_sequence for record in self.records if isinstance(record, BookUpdate)), default=None)

    @property
    def is_in_step(self) -> bool:
        return self.feed._books[SYMBOL].is_in_step

    def restart(self) -> None:
        version = self.version
        self.feed = BinanceFeed(ONE_SYMBOL, Resume(marks={} if version is None else {("books", SYMBOL): version}))
        self.asked = any(isinstance(step, Fetch) for step in self.feed.opening())
        self.held: list[bytes] = []

    def emit(self, changes: list[tuple[str, str, str]], fate: str) -> None:
        payload = self.venue.delta(changes, self.now_ns)
        if fate == "drop":
            self.dropped.append(self.venue.version)
        elif fate == "hold":
            self.held.append(payload)
        else:
            for copy in [payload] * (2 if fate == "repeat" else 1) + self.held:
                self.hear(copy)
            self.held = []

    def answer(self, lag: int) -> None:
        if self.asked:
            self.asked = False
            self.hear(self.venue.snapshot(max(0, self.venue.version - lag)), f"snapshot:{SYMBOL}")

    def hear(self, payload: bytes, reply_to: str | None = None) -> None:
        self.now_ns += TURN_NS
        for step in hear(self.feed, Frame(self.now_ns, payload, "ws0", reply_to)):
            if isinstance(step, Fetch):
                assert not self.asked, "one question at a time"
                self.asked = True
            elif isinstance(step, BookUpdate | FeedEvent):
                self.take(step)
        if self.is_in_step:
            assert self.venue.history[self.version] == self.book

    def take(self, record: BookUpdate | FeedEvent) -> None:
        self.records.append(record)
        if isinstance(record, BookUpdate):
            bids = zip(record.bid_prices, record.bid_sizes, strict=True)
            asks = zip(record.ask_prices, record.ask_sizes, strict=True)
            changed = {("bids", price): size for price, size in bids} | {("asks", price): size for price, size in asks}
            book = changed if record.kind == "snapshot" else self.book | changed
            self.book = {key: size for key, size in book.items() if size != "0"}


CHANGES = st.lists(
    st.tuples(st.sampled_from(["bids", "asks"]), st.sampled_from("789abc"), st.sampled_from("0123")),
    min_size=1,
    max_size=4,
)
EMIT = st.tuples(st.just("emit"), CHANGES, st.sampled_from(["deliver", "deliver", "deliver", "drop", "repeat", "hold"]))
ANSWER = st.tuples(st.just("answer"), st.integers(0, 12))
TURNS = st.lists(st.one_of(EMIT, EMIT, EMIT, ANSWER, ANSWER, st.just(("restart",))), max_size=60)


def listened(turns: list[tuple]) -> Listener:
    listener = Listener()
    for name, *arguments in turns:
        getattr(listener, name)(*arguments)
    return listener


@settings(max_examples=200, deadline=None)
@given(TURNS)
def test_the_rebuilt_book_is_the_venues_whenever_the_feed_says_so(turns):
    listener = listened(turns)
    for _ in range(3):  # and it comes to say so, once the wire is good
        listener.emit([("bids", "9", "5")], "deliver")
        listener.answer(0)

    assert listener.is_in_step
    assert listener.venue.version == listener.version
    assert listener.venue.history[-1] == listener.book


@settings(max_examples=200, deadline=None)
@given(TURNS)
def test_records_go_on_from_each_other_or_a_gap_says_where_they_do_not(turns):
    before: BookUpdate | None = None
    gaps: list[FeedEvent] = []
    for record in listened(turns).records:
        if isinstance(record, FeedEvent):
            gaps += [record] if record.kind == "gap" else []
            continue
        if before is not None and record.kind == "snapshot":
            assert str(before.last_sequence + 1) in {gap.expected for gap in gaps}
            assert before.last_sequence < record.last_sequence
        elif before is not None:
            assert record.first_sequence <= before.last_sequence + 1 <= record.last_sequence
        else:
            assert record.kind == "snapshot"
        before, gaps = record, []


@settings(max_examples=200, deadline=None)
@given(TURNS)
def test_a_lost_delta_is_inside_a_gap(turns):
    listener = listened(turns)
    updates = [record for record in listener.records if isinstance(record, BookUpdate)]
    missing = [
        (before.last_sequence + 1, after.last_sequence)
        for before, after in pairwise(updates)
        if after.kind == "snapshot"
    ]
    told = {int(record.expected) for record in listener.records if getattr(record, "kind", "") == "gap"}
    for last in listener.dropped:
        if updates and updates[0].last_sequence < last <= updates[-1].last_sequence:
            assert any(start <= last <= end and start in told for start, end in missing)


@settings(max_examples=200, deadline=None)
@given(TURNS)
def test_every_gap_of_one_connection_is_closed_by_a_resync(turns):
    listener = listened([turn for turn in turns if turn != ("restart",)])
    for _ in range(3):
        listener.emit([("bids", "9", "5")], "deliver")
        listener.answer(0)
    kinds = [record.kind for record in listener.records if isinstance(record, FeedEvent)]

    assert Counter(kinds)["gap"] >= Counter(kinds)["resync"]
    assert kinds[-1:] in ([], ["resync"])
    assert all(record.from_ns <= record.to_ns for record in listener.records if isinstance(record, FeedEvent))


def heard(feed: BinanceFeed, payload: bytes, now_ns: int, reply_to: str | None = None) -> list[Step]:
    return hear(feed, Frame(now_ns, payload, "ws0", reply_to))


def opened(resume: Resume = Resume()) -> BinanceFeed:  # noqa: B008  frozen
    feed = BinanceFeed(ONE_SYMBOL, resume)
    list(feed.opening())
    return feed


def snapshot(version: int) -> bytes:
    return msgspec.json.encode({"lastUpdateId": version, "bids": [("9", "1")], "asks": [("11", "1")]})


def asked_again_s(feed: BinanceFeed, version: int, now_ns: int) -> float:
    (fetch,) = heard(feed, snapshot(version), now_ns, f"snapshot:{SYMBOL}")
    return fetch.after_s


def test_a_stale_snapshot_is_asked_for_again_ever_more_slowly():
    feed = opened()
    heard(feed, delta(101, 105, START_NS), START_NS)

    assert [1, 2, 4, 8, 16, 30, 30] == [asked_again_s(feed, 90, START_NS + n * SECOND_NS) for n in range(7)]


def test_a_gap_after_a_calm_minute_is_closed_at_once():
    feed = opened()
    heard(feed, snapshot(100), START_NS, f"snapshot:{SYMBOL}")
    later_ns = START_NS + 61 * SECOND_NS
    steps = heard(feed, delta(103, 104, later_ns), later_ns)

    assert [0.0] == [step.after_s for step in steps if isinstance(step, Fetch)]


def test_deltas_that_wait_too_long_make_room_and_a_newer_snapshot_is_needed():
    others = tuple(f"COIN{number}USDT" for number in range(MOST_WAITING // LEAST_WAITING))
    feed = BinanceFeed(Settings(binance_symbols=(SYMBOL, *others)), Resume())
    list(feed.opening())
    for number in range(1, LEAST_WAITING + 501):
        heard(feed, delta(number, number, START_NS), START_NS)

    assert 1.0 == asked_again_s(feed, 400, START_NS)
    steps = heard(feed, snapshot(500), START_NS, f"snapshot:{SYMBOL}")
    assert [500, *range(501, LEAST_WAITING + 501)] == [step.last_sequence for step in steps]


def test_a_symbol_that_the_venue_refused_keeps_nothing_waiting():
    feed = opened()
    refusal = Frame(START_NS, b'{"code":-1121,"msg":"Invalid symbol."}', "ws0", f"snapshot:{SYMBOL}", 400)
    hear(feed, refusal)
    heard(feed, delta(1, 5, START_NS), START_NS)

    assert feed._books[SYMBOL]._waiting.first is None


def test_a_delta_told_again_by_a_clock_ahead_of_ours_is_a_repeat_after_a_restart():
    feed = opened(Resume(marks={("books", SYMBOL): 100}))

    assert [] == heard(feed, delta(90, 100, START_NS + 5 * SECOND_NS), START_NS)


@pytest.mark.parametrize("ahead_s", [5, -5])
def test_a_delta_told_again_after_the_venues_clock_was_set_back_is_a_repeat(ahead_s):
    feed, first_ns = opened(), START_NS + ahead_s * SECOND_NS
    heard(feed, snapshot(4), START_NS, f"snapshot:{SYMBOL}")
    heard(feed, delta(5, 5, first_ns), START_NS)
    heard(feed, delta(6, 6, first_ns - 10 * SECOND_NS), START_NS)

    assert [] == heard(feed, delta(5, 5, first_ns), START_NS)


def test_an_old_number_much_later_is_a_new_numbering_also_after_a_restart():
    feed = opened(Resume(marks={("books", SYMBOL): 100}))
    heard(feed, delta(90, 100, START_NS), START_NS)
    steps = heard(feed, delta(1, 5, START_NS + 11 * SECOND_NS), START_NS + 11 * SECOND_NS)

    assert ["the venue began its update ids again"] == [step.detail for step in steps if isinstance(step, FeedEvent)]


def test_deltas_that_a_slow_socket_brings_after_the_snapshot_are_stale_and_no_new_numbering():
    feed = opened()
    heard(feed, snapshot(4), START_NS, f"snapshot:{SYMBOL}")
    heard(feed, delta(5, 5, START_NS), START_NS)
    heard(feed, delta(8, 9, START_NS), START_NS)
    heard(feed, snapshot(100), START_NS, f"snapshot:{SYMBOL}")
    late_ns = START_NS + 9 * SECOND_NS

    assert [] == heard(feed, delta(90, 95, late_ns), late_ns)


def test_a_delta_that_straddles_the_snapshot_before_it_goes_on():
    feed = opened()
    heard(feed, snapshot(100), START_NS, f"snapshot:{SYMBOL}")
    (step,) = heard(feed, delta(98, 103, START_NS), START_NS)

    assert ("delta", 103) == (step.kind, step.last_sequence)


def test_a_stored_book_goes_on_without_a_snapshot():
    feed = opened(Resume(marks={("books", SYMBOL): 100}))
    (step,) = heard(feed, delta(101, 102, START_NS), START_NS)

    assert ("delta", 101) == (step.kind, step.first_sequence)
    assert [] == heard(feed, snapshot(150), START_NS, f"snapshot:{SYMBOL}")


def test_the_first_snapshots_of_many_symbols_keep_to_half_of_the_venues_budget():
    symbols = tuple(f"COIN{number}USDT" for number in range(400))
    for levels, weight in ((100, 5), (500, 25), (1000, 50), (5000, 250)):
        chosen = Settings(binance_symbols=symbols, binance_depth_levels=levels)
        asked = [step for step in BinanceFeed(chosen, Resume()).opening() if isinstance(step, Fetch)]
        fetches = [fetch for fetch in asked if fetch.key.startswith("snapshot:")]
        again = [fetch for fetch in asked if fetch.key.startswith("refresh:")]
        busiest = max(
            sum(fetch.weight for fetch in fetches if start.after_s <= fetch.after_s < start.after_s + 60)
            for start in fetches
        )

        assert [weight] * 400 == [fetch.weight for fetch in fetches]
        assert busiest <= 3000
        assert 400 == len(again)
        assert all(
            later.after_s - first.after_s >= max(300, 400 * weight * 60 / 1000)
            for first, later in zip(fetches, again, strict=True)
        )


def test_many_symbols_are_spread_over_sockets_with_addresses_of_sane_length():
    symbols = tuple(f"1000LONGCOIN{number}USDT" for number in range(120))
    dials = [step for step in BinanceFeed(Settings(binance_symbols=symbols), Resume()).opening() if type(step) is Dial]

    assert ["ws0", "ws1", "ws2"] == [dial.wire for dial in dials]
    assert dict.fromkeys(STREAMS, 120) == {s: sum(dial.url.count(f"@{s}") for dial in dials) for s in STREAMS}
    assert max(len(dial.url) for dial in dials) < 8000
    assert all(dial.url == dial.url.lower().replace("bookticker", "bookTicker") for dial in dials)
