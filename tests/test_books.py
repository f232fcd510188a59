"""Books kept from messages: when they are read off, what becomes of gaps, late and broken messages, and of batches."""

import hashlib
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from common.book_shapes import ASKS, BIDS
from common.errors import UnreadableCheckpoint
from common.records import BookUpdate, Quote
from processors.books import Books
from tests import test_okx_recordings as okx
from tests.book_kit import NOTHING, SECOND_NS, START_NS, frame, levels, random_messages, sorted_rows, turned, update
from tests.test_binance_recordings import ONE_SYMBOL, TEN_SYMBOLS, of_symbols, truth

OKX_BOOKS = "okx-books-20220513.jsonl.gz"
MS = 10**6
BOOK = update("snapshot", [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")])


def later(ms, bids=(), asks=(), **more):
    return update("delta", bids, asks, at_ns=START_NS + ms * MS, **more)


def instants(rows):
    """Return when rows are, in ms after the start."""
    return [(at - START_NS) // MS for at in rows["event_ns"].to_list()]


def test_a_book_is_read_off_100_ms_after_a_change_and_each_second():
    rows, _, _ = turned(Books(), [BOOK, later(250, [("98", "1")]), later(2_500)])

    assert [100, 300, 1_000, 2_000] == instants(rows)
    assert [1, 1, 0, 0] == rows["updates"].to_list()


def test_an_instant_covers_what_happened_before_it():
    rows, _, _ = turned(Books(), [BOOK, later(100, [("100.5", "1")]), later(300)])

    assert [(100, "100"), (200, "100.5")] == list(zip(instants(rows), rows["best_bid"], strict=True))


def test_a_quiet_book_is_read_off_when_the_time_of_its_shard_has_gone_on():
    other = update("snapshot", [("1", "1")], [("2", "1")], at_ns=START_NS + 2_200 * MS, symbol="ETHUSDT")
    rows, _, _ = turned(Books(), [BOOK, other])

    assert [100, 1_000] == instants(rows.filter(symbol="BTCUSDT"))


def test_a_book_that_was_silent_for_five_minutes_is_told_no_more():
    rows, _, _ = turned(Books(), [BOOK, later(3_600_000)])

    assert (301, 300_000) == (len(rows), instants(rows)[-1])


def test_a_message_that_comes_late_is_counted_and_changes_the_book_from_then_on():
    rows, _, _ = turned(Books(), [BOOK, later(450), later(50, [("100.5", "1")]), later(800)])

    assert [(100, 0, "100"), (500, 1, "100.5")] == [
        (at, late, bid) for at, late, bid in zip(instants(rows), rows["late_updates"], rows["best_bid"], strict=True)
    ]


def test_a_venue_whose_clock_is_wrong_has_its_own_time():
    skew_ns = 3_600 * SECOND_NS
    told = [
        update("snapshot", [("1", "1")], [("2", "1")], received_ns=START_NS + skew_ns),
        later(2_500, received_ns=START_NS + skew_ns + 2_500 * MS),
    ]
    rows, _, _ = turned(Books(), told)

    assert [100, 1_000, 2_000] == instants(rows)


def test_a_venue_that_tells_no_time_is_taken_at_ours():
    told = [
        update("snapshot", [("1", "1")], [("2", "1")], at_ns=None, received_ns=START_NS),
        update(at_ns=None, received_ns=START_NS + 150 * MS),
    ]
    rows, _, _ = turned(Books(), told)

    assert [100] == instants(rows)


def test_a_snapshot_without_a_time_belongs_to_the_time_of_the_changes_around_it():
    day_ns = 86_400 * SECOND_NS
    told = [
        update("snapshot", [("1", "1")], [("2", "1")], at_ns=None, received_ns=START_NS + day_ns),
        later(150, received_ns=START_NS + day_ns),
        update("snapshot", [("1", "1")], [("2", "1")], at_ns=None, received_ns=START_NS + day_ns + MS),
        later(350, received_ns=START_NS + day_ns + 2 * MS),
    ]
    rows, _, _ = turned(Books(), told)

    assert [(200, 3, 0)] == list(zip(instants(rows), rows["updates"], rows["late_updates"], strict=True))


def test_changes_before_any_snapshot_say_nothing():
    rows, snapshots, refused = turned(Books(), [later(0, [("100", "1")]), later(5_000)])

    assert rows.is_empty() and snapshots.is_empty() and refused.is_empty()  # noqa: PT018  one thing: silence


def test_flow_is_not_told_across_a_gap():
    again = update("snapshot", [("100", "9")], [("101", "3")], at_ns=START_NS + 220 * MS, last_sequence=9)
    told = [BOOK, later(150, [("100", "2")]), again, later(350, [("100", "10")]), later(500)]
    rows, _, _ = turned(Books(), told)

    assert [(100, None), (200, 1.0), (300, None), (400, 1.0)] == list(
        zip(instants(rows), rows["ofi_1"].to_list(), strict=True)
    )
    assert [None, "event", None, "event"] == rows["ofi_kind"].to_list()


def test_flow_between_snapshots_of_a_venue_without_numbers_says_so():
    again = update("snapshot", [("100", "4"), ("99", "2")], [("101", "3")], at_ns=START_NS + 150 * MS)
    rows, _, _ = turned(Books(), [BOOK, again, later(300)])

    assert (3.0, "snapshot") == rows.select("ofi_1", "ofi_kind").row(1)


def test_what_lies_behind_a_limited_snapshot_is_unknown_and_not_empty():
    limited = update("snapshot", [("100", "1"), ("99", "2")], [("101", "3"), ("102", "4")], depth=2)
    rows, _, _ = turned(Books(), [limited, later(50, [("90", "7")]), later(200)])

    row = rows.row(0, named=True)
    assert (1.0, None) == (row["bid_depth_100bps"], row["bid_depth_200bps"])
    assert (4, 3, None) == (row["levels"], row["bid_levels"], row["imbalance_5"])
    assert pytest.approx(1.5 / 100.5 * 10_000) == row["bid_covered_bps"]


def test_the_window_of_a_venue_that_keeps_its_depth_moves_with_the_book():
    deep = [(str(1_000 - number), "1") for number in range(400)]
    asks = [(str(1_001 + number), "1") for number in range(400)]
    told = [
        update("snapshot", deep, asks, depth=400, venue="okx"),
        later(50, [("601", "0"), ("1000.5", "1")], venue="okx"),
        later(200, venue="okx"),
    ]
    rows, _, _ = turned(Books(), told)

    assert pytest.approx((1000.75 - 602) / 1000.75 * 10_000) == rows["bid_covered_bps"][0]


def test_a_crossed_and_a_locked_book_are_told():
    told = [BOOK, later(150, [("101.5", "1")]), later(250, [("101.5", "0"), ("101", "1")]), later(400)]
    rows, _, _ = turned(Books(), told)

    assert [(False, False), (True, False), (False, True)] == rows.select("is_crossed", "is_locked").rows()


def test_an_empty_side_has_no_price_and_not_the_price_0():
    rows, _, _ = turned(Books(), [BOOK, later(150, [("100", "0"), ("99", "0")]), later(300)])

    assert (None, None, "101", 0) == rows.select("best_bid", "mid", "best_ask", "bid_levels").row(1)


@pytest.mark.parametrize(
    ("bids", "reason"),
    [
        ([("a", "1")], "expected decimal numbers, found something else"),
        ([("-1", "1")], "expected prices and sizes of 0 or more, found a negative one"),
        ([("0.1234567890123456789", "1")], "expected at most 18 digits behind the point, and 18 in all"),
    ],
)
def test_a_message_that_cannot_be_read_is_set_aside_and_the_book_unknown_until_a_snapshot(bids, reason):
    again = update("snapshot", [("5", "1")], [("6", "1")], at_ns=START_NS + 3_000 * MS)
    rows, _, refused = turned(Books(), [BOOK, later(1_500, bids), later(2_000), again, later(3_200)])

    assert [(1, reason)] == refused.rows()
    assert [100, 3_100] == instants(rows)


def test_a_book_that_is_told_anew_behind_a_broken_message_of_its_batch_has_its_own_prices():
    fine = update("snapshot", [("100.55", "1.5")], [("101", "3")])
    again = update("snapshot", [("5.25", "1.5")], [("6", "1")], at_ns=START_NS + 3_000 * MS)
    rows, _, _ = turned(Books(), [fine, later(1_500, [("a", "1")]), again, later(3_200)])

    assert [("100.55", "1.5"), ("5.25", "1.5")] == rows.select("best_bid", "best_bid_size").rows()


def test_a_book_that_was_silent_for_a_day_waits_for_a_snapshot_whatever_came_of_others():
    day_ms = 25 * 3_600_000
    other = update("snapshot", [("1", "1")], [("2", "1")], at_ns=START_NS + day_ms * MS, symbol="ETHUSDT")
    told = [BOOK, other, later(day_ms + 1_000, [("98", "1")]), later(day_ms + 5_000)]
    rows, _, _ = turned(Books(), told)

    assert 300_000 == instants(rows.filter(symbol="BTCUSDT"))[-1]


def test_a_message_with_more_prices_than_sizes_is_set_aside():
    broken = BookUpdate("b", "s", 1, kind="delta", bid_prices=("1", "2"), bid_sizes=("1",), ask_prices=(), ask_sizes=())
    _, _, refused = turned(Books(), [broken])

    assert [(0, "expected as many sizes as prices")] == refused.rows()


def test_the_best_20_are_told_each_second_and_the_whole_book_each_minute_exactly():
    deep = [(f"{1_000 - number}.50", "0.10") for number in range(30)]
    told = [
        update("snapshot", deep, [("1001", "1", 7)], symbol="s"),
        update(at_ns=START_NS + 61 * SECOND_NS, symbol="s"),
    ]
    minute_ns = (START_NS // (60 * SECOND_NS) + 1) * 60 * SECOND_NS
    _, snapshots, _ = turned(Books(), told)

    assert {20, 30} == set(snapshots["depth"])
    whole = snapshots.filter(depth=30).row(0, named=True)
    assert (minute_ns, "maintained", 30) == (whole["event_ns"], whole["source"], len(whole["bid_prices"]))
    assert ("1000.5", "0.1", ["1001"], [7]) == (
        whole["bid_prices"][0],
        whole["bid_sizes"][0],
        whole["ask_prices"],
        whole["ask_orders"],
    )
    assert 61 == len(snapshots.filter(depth=20))


@pytest.fixture(scope="module")
def recorded():
    """The messages of ten recorded books in the order in which they came, some of them made finer or broken."""
    updates = [one for updates in of_symbols(TEN_SYMBOLS, BookUpdate).values() for one in updates]
    updates.sort(key=lambda one: one.received_ns)
    broken = update("delta", [("x", "1")], at_ns=updates[700].event_ns, symbol=updates[700].symbol)
    return [*updates[:700], broken, *updates[700:]]


@pytest.mark.parametrize("step", [1, 7, 333])
def test_any_cutting_into_batches_gives_the_same_rows(captures, recorded, step):
    assert captures.is_dir()
    part = recorded[: 120 * step]
    whole = turned(Books(), part)

    cut = turned(Books(), part, step=step)

    for wanted, found in zip(whole[:2], cut[:2], strict=True):
        assert_frame_equal(sorted_rows(wanted), sorted_rows(found), check_exact=True)
    assert whole[2].rows() == cut[2].rows()


@pytest.mark.parametrize("seed", range(4))
def test_any_cutting_of_broken_messages_and_long_silences_gives_the_same_rows(seed):
    messages = random_messages(160, seed)
    whole, books = turned(Books(), messages), Books()
    cut = []
    for at in range(0, len(messages), seed + 1):
        books = Books(books.save())
        cut.append(turned(books, messages[at : at + seed + 1]))

    for wanted, found in list(zip(whole, zip(*cut, strict=True), strict=True))[:2]:
        assert_frame_equal(sorted_rows(wanted), sorted_rows(pl.concat(found)), check_exact=True)


def test_a_checkpoint_and_the_stream_behind_it_go_on_bit_for_bit(captures, recorded):
    assert captures.is_dir()
    through, books, rows = Books(), Books(), []
    wanted = [through.turn(frame(recorded[at : at + 250], first=at), NOTHING).rows for at in range(0, 2_000, 250)]
    for at in range(0, 2_000, 250):
        books = Books(books.save())
        rows.append(books.turn(frame(recorded[at : at + 250], first=at), NOTHING).rows)

    assert_frame_equal(pl.concat(wanted), pl.concat(rows), check_exact=True)
    assert through.save() == books.save()


def test_a_checkpoint_of_another_version_is_refused():
    with pytest.raises(UnreadableCheckpoint):
        Books(Books().save().replace(b"version\x02", b"version\x63"))


@pytest.mark.parametrize("name", [ONE_SYMBOL, TEN_SYMBOLS])
def test_recorded_books_end_as_they_are_known_to(captures, name):
    assert captures.is_dir()
    for symbol, facts in truth(name)["symbols"].items():
        books = Books()
        turned(books, of_symbols(name, BookUpdate)[symbol], step=500)

        (book,) = books._books.values()
        bids, asks = levels(book, BIDS), levels(book, ASKS)
        assert facts["book"]["final"]["levels"] == [len(bids), len(asks)]
        assert facts["book"]["final"]["top20_sha256"] == digest(bids, asks)


def test_recorded_books_of_a_venue_with_a_moving_window_end_as_they_are_known_to(captures):
    assert captures.is_dir()
    for symbol, updates in okx.by_symbol(okx.heard_once(OKX_BOOKS), BookUpdate).items():
        final = okx.truth(OKX_BOOKS)["symbols"][symbol]["books"]["ws1 books"]["final"]
        books = Books()
        turned(books, updates, step=30)

        (book,) = books._books.values()
        bids, asks = levels(book, BIDS), levels(book, ASKS)
        assert (final["levels"], final["top20_sha256"]) == ([len(bids), len(asks)], digest(bids, asks)), symbol


def digest(bids, asks):
    lines = [f"{side},{plain(p)},{plain(q)}" for side, told in (("b", bids), ("a", asks)) for p, q in told[:20]]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def plain(number: Decimal):
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@pytest.mark.parametrize("name", [ONE_SYMBOL, TEN_SYMBOLS])
def test_the_best_prices_are_the_venues_own_at_every_equal_update_number(captures, name):
    assert captures.is_dir()
    for symbol, updates in of_symbols(name, BookUpdate).items():
        quotes = {quote.sequence: quote for quote in of_symbols(name, Quote)[symbol]}
        rows, _, _ = turned(Books(), updates, step=1_000)
        equal = [
            tuple(map(Decimal, row)) == tuple(map(Decimal, told(quotes[sequence])))
            for sequence, *row in rows.select(
                "sequence", "best_bid", "best_bid_size", "best_ask", "best_ask_size"
            ).rows()
            if sequence in quotes
        ]

        assert equal and all(equal), symbol  # noqa: PT018  some, and all of them


def told(quote):
    return quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size


def test_rows_of_a_symbol_come_in_the_order_of_time(captures, recorded):
    assert captures.is_dir()
    rows, _, _ = turned(Books(), recorded, step=100)

    for (_, *_), part in rows.group_by("symbol"):
        assert all(before < after for before, after in pairwise(part["event_ns"].to_list()))
