"""Every statistic against the slow obvious one, on books that were made up and on recorded ones."""

import math
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.book_stat import FLOW_LEVELS, BookStat
from common.records import BookSnapshot, BookUpdate
from processors.books import Books
from processors.transforms.rest_books import rest_book_stats
from tests.book_kit import NOTHING, SECOND_NS, START_NS, frame, snapshot, turned, update
from tests.book_past_reference import Seen, said
from tests.book_reference import DecimalBook, flow, message_facts, statistics

TIGHT = 1e-9
# Between -1 and 1, or sums of both signs: what is left of nearly equal numbers has no nine figures.
LOOSE = 1e-9


def assert_says(wanted, found):
    for name, value in wanted.items():
        told = found[name]
        assert (value is None) == (told is None), f"{name}: expected {value}, found {told}"
        if value is not None:
            assert is_same(value, told), f"{name}: {value} {told}"


def is_same(value, told):
    """Return whether a figure is the wanted one; decimals and words are exact, and so are whole numbers."""
    if isinstance(value, str | int):
        return value == told
    if isinstance(told, str):
        return value == Fraction(told)
    return math.isclose(float(value), told, rel_tol=TIGHT, abs_tol=LOOSE)


def walk(records, every=1):
    """Yield, for every so many of messages a second apart, what the slow way says after it, and what the row says."""
    rows, _, refused = turned(Books(), [*records, update(at_ns=START_NS + 10**6 * SECOND_NS)])
    assert refused.is_empty()
    told = {row["event_ns"]: row for row in rows.iter_rows(named=True)}
    book = DecimalBook()
    for number, record in enumerate(records):
        is_wanted = number % every == 0
        before = book.flow_levels() if is_wanted else None
        book.apply(record)
        if is_wanted:
            row = told[record.event_ns // 10**8 * 10**8 + 10**8]
            moved = [None] * len(FLOW_LEVELS) if number == 0 else flow(before, book.flow_levels())
            flows = {f"ofi_{level}": moved[level - 1] for level in FLOW_LEVELS}
            facts = message_facts(record, row["event_ns"], is_first=number == 0)
            yield statistics(book) | flows | facts, row


def spaced(records):
    """Return records a second apart."""
    return [
        msgspec.structs.replace(one, event_ns=START_NS + at * SECOND_NS, received_ns=START_NS + at * SECOND_NS)
        for at, one in enumerate(records)
    ]


price = st.integers(9_000, 10_990).map(lambda number: f"{number / 100:.2f}")
size = st.integers(0, 50_000).map(lambda number: f"{max(number - 10_000, 0) / 100:.2f}")
orders = st.integers(1, 9)
levels = st.lists(st.tuples(price, size, orders), max_size=30)
told = st.tuples(st.sampled_from(["delta", "delta", "snapshot"]), levels, levels, st.sampled_from([None, 2, 8, 25]))


@settings(max_examples=60, deadline=None)
@given(st.lists(told, min_size=1, max_size=4))
def test_statistics_of_made_up_books_are_those_of_the_slow_one(messages):
    records = [
        update("snapshot" if number == 0 else kind, bids, asks, depth=depth)
        for number, (kind, bids, asks, depth) in enumerate(messages)
    ]
    for wanted, row in walk(spaced(records)):
        assert_says(wanted, row)


@settings(max_examples=60, deadline=None)
@given(levels, levels, st.sampled_from([5, 20, 5000]))
def test_statistics_of_a_book_that_came_whole_are_those_of_the_slow_one(bids, asks, depth):
    asked = snapshot(bids, asks, depth=depth)
    made = rest_book_stats(frame([asked], BookSnapshot), NOTHING)
    book = DecimalBook()
    book.apply(update("snapshot", bids, asks, depth=depth))

    (row,) = made.rows.iter_rows(named=True)
    assert_says(statistics(book), row)
    assert ("rest", None, None, None) == (row["source"], row["updates"], row["ofi_1"], row["ofi_kind"])


def test_books_that_we_keep_and_the_venues_own_tops_are_not_asked_for():
    told = [snapshot([("1", "1")], [("2", "1")], source=source) for source in ("maintained", "partial")]

    assert rest_book_stats(frame(told, BookSnapshot), NOTHING).rows.is_empty()


@pytest.mark.parametrize("name", ["binance-btcusdt-20240808.jsonl.gz", "binance-ten-symbols-20210405.jsonl.gz"])
def test_statistics_of_recorded_books_are_those_of_the_slow_one(captures, name):
    from tests.test_binance_recordings import BookUpdate, of_symbols  # noqa: PLC0415  reads the recordings

    assert captures.is_dir()
    for updates in list(of_symbols(name, BookUpdate).values())[:4]:
        for wanted, row in walk(spaced(updates[:400]), every=80):
            assert_says(wanted, row)


def test_statistics_of_recorded_books_with_numbers_of_orders_are_those_of_the_slow_one(captures):
    from tests import test_okx_recordings as okx  # noqa: PLC0415  reads the recordings

    assert captures.is_dir()
    told_orders = 0
    for updates in list(okx.by_symbol(okx.heard_once(okx.BOOKS_400), BookUpdate).values())[:2]:
        for wanted, row in walk(spaced(updates[:300]), every=60):
            assert_says(wanted, row)
            told_orders += wanted["bid_orders"] is not None
    assert told_orders


def test_every_column_has_a_slow_reference():
    records = spaced([update("snapshot", [("1", "1", 1)], [("2", "1", 1)]), update("delta", [("1", "2", 1)])])
    wanted, _ = list(walk(records))[-1]
    seen = Seen(START_NS, DecimalBook(), [0, 0], is_broken=True)

    assert set(BookStat.__struct_fields__) == {*wanted, *said([seen])}
