"""What rows tell of the time before them: the queue at the best price, walls that went, and recovery."""

import math

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from common.book_engine import compiled_engine, plain_engine
from common.records import BookUpdate
from processors.books import Books
from tests.book_kit import NOTHING, SECOND_NS, START_NS, frame, turned, update
from tests.book_past_reference import Seen, removed, said
from tests.book_reference import DecimalBook

MS = 10**6
DEEP = [(str(100 - number), "1") for number in range(8)], [(str(101 + number), "1") for number in range(8)]


def every_row(records):
    """Yield, for messages each of which has a row of its own, what the slow way says and what the row says."""
    rows, _, refused = turned(Books(), [*records, update(at_ns=records[-1].event_ns + SECOND_NS)])
    assert refused.is_empty()
    told = list(rows.iter_rows(named=True))
    book, seen, waiting = DecimalBook(), [], list(records)
    for row in told:
        left = [0, 0]
        while waiting and waiting[0].event_ns < row["event_ns"]:
            record, before = waiting.pop(0), book.flow_levels()
            book.apply(record)
            left = [one + more for one, more in zip(left, removed(before, book.flow_levels()), strict=True)]
        seen.append(Seen(row["event_ns"], book, left, is_broken=not seen))
        yield said(seen), row


def assert_says(wanted, row):
    for name, value in wanted.items():
        found = row[name]
        if value is None or isinstance(value, str) or found is None:
            assert value == found, name
        else:
            assert math.isclose(float(value), found, rel_tol=1e-9, abs_tol=1e-9), f"{name}: {float(value)} {found}"


price = st.integers(1, 12)
level = st.tuples(price, st.sampled_from([0, 0, 1, 2, 3, 40, 200]))
side = st.lists(level, max_size=6)
gap_ms = st.sampled_from([100, 100, 300, 2_000, 12_000])
message = st.tuples(
    st.sampled_from(["delta", "delta", "delta", "snapshot"]), side, side, gap_ms, st.sampled_from([None, 5])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(message, min_size=1, max_size=14))
def test_what_rows_tell_of_the_time_before_is_what_the_slow_way_says(told):
    at_ns, records = START_NS, [update("snapshot", *DEEP)]
    for kind, bids, asks, gap, depth in told:
        at_ns += gap * MS
        levels = [(str(101 - at), str(size)) for at, size in bids], [(str(100 + at), str(size)) for at, size in asks]
        records.append(update(kind, *levels, at_ns=at_ns, depth=depth))
    for wanted, row in every_row(records):
        assert_says(wanted, row)


def rows_of(*changes):
    """Return the rows of a deep book in which a second apart something changes."""
    told = [
        update("delta", *change, at_ns=START_NS + number * SECOND_NS + 50 * MS)
        for number, change in enumerate(changes, 1)
    ]
    rows, _, _ = turned(Books(), [update("snapshot", *DEEP), *told, update(at_ns=told[-1].event_ns + SECOND_NS)])
    return rows


def test_a_queue_that_lost_ten_in_ten_seconds_lasts_as_many_seconds_as_its_size():
    changes = [([("100", "11" if number % 2 else "1")],) for number in range(1, 13)]
    rows = rows_of(*changes)

    assert [None] * 3 == rows["bid_depletion_s"].to_list()[:3]
    assert (5.0, 0.2, 0.0, None) == rows.select(
        "bid_removed_rate", "bid_depletion_s", "ask_removed_rate", "ask_depletion_s"
    ).row(-2)


WALL = [("97", "50")]


def test_a_wall_behind_better_prices_that_is_no_more_was_pulled():
    rows = rows_of((WALL,), ((),), ([("97", "1")],))
    found = rows.filter(rows["bid_wall_gone"].is_not_null())

    assert [(49.0, "pulled")] == found.select("bid_wall_gone", "bid_wall_end").rows()
    assert 1_900.0 == rows["bid_wall_age_ms"].max()


def test_a_wall_whose_price_the_other_side_has_come_to_was_eaten():
    gone = [(str(at), "0") for at in range(97, 101)]
    rows = rows_of((WALL,), (gone, [("97", "2")]))

    assert [(50.0, "eaten")] == rows.select("bid_wall_gone", "bid_wall_end").drop_nulls().rows()


def test_how_a_wall_at_the_best_price_went_cannot_be_told():
    better = [(str(at), "0") for at in range(98, 101)]
    rows = rows_of((WALL,), (better,), ([("97", "1")],))

    assert [(49.0, None)] == rows.filter(rows["bid_wall_gone"].is_not_null()).select(
        "bid_wall_gone", "bid_wall_end"
    ).rows()


def test_walls_behind_the_nearest_are_followed_too():
    far, near, gone = [("95", "60")], [("98", "50")], [("95", "1")]
    rows = rows_of((far,), (near,), ((),), (gone,))
    told = rows.select("bid_walls", "bid_walls_size", "bid_wall_price", "bid_largest_wall_price", "bid_walls_pulled")

    assert (2, 110.0, 98.0, 95.0, 0.0) in told.rows()
    assert 2 == rows["bid_walls"].max()
    both = rows.filter(bid_walls=2).select(pl.col("bid_oldest_wall_age_ms") - pl.col("bid_wall_age_ms"))
    assert {1_000.0} == set(both.to_series())
    assert [59.0] == rows.filter(rows["bid_walls_pulled"] > 0)["bid_walls_pulled"].to_list()
    assert {None} == {*rows["bid_wall_end"]}


def test_depth_that_comes_back_by_half_has_a_half_life():
    emptied = [(str(at), "0") for at in range(93, 99)]
    back = [("98", "1.6")]
    rows = rows_of((emptied,), ((),), (back,), ([("97", "1")],))
    told = rows.filter(rows["bid_resilience"].is_not_null()).select("bid_resilience", "bid_half_life_s")

    assert (0.0, None) == told.row(0)
    assert pytest.approx((1.6 / 3, 2.0)) == told.row(4)
    assert (None, None) == rows.select("ask_resilience", "spread_resilience").row(-1)


def test_a_spread_that_doubled_and_came_back_has_a_half_life():
    rows = rows_of(([("100", "0")],), ([("100", "1")],))

    assert (1.0, 1.0) == rows.select("spread_resilience", "spread_half_life_s").row(-1)


def test_nothing_is_said_across_a_gap():
    again = update("snapshot", *DEEP, at_ns=START_NS + 12 * SECOND_NS, last_sequence=5)
    end = update(at_ns=START_NS + 30 * SECOND_NS)
    rows, _, _ = turned(Books(), [update("snapshot", *DEEP), again, end])
    told = dict(zip(((rows["event_ns"] - START_NS) // MS).to_list(), rows["bid_removed_rate"].to_list(), strict=True))

    assert {10_000: None, 11_000: 0.0, 12_100: None, 22_000: None, 23_000: 0.0} == {
        at: told[at] for at in (10_000, 11_000, 12_100, 22_000, 23_000)
    }


def busy(count):
    """Return messages of two books, whose prices and sizes get finer on the way."""
    made = [update("snapshot", *DEEP, symbol=symbol) for symbol in ("A", "B")]
    for number in range(count):
        at, digits = number * 7919 % 9, number // (count // 3)
        change = [
            (f"{100 - at}", f"{number * 31 % 17 / 4:.{2 + digits}f}"),
            (f"{99 - at}.{'0' * digits}5", f"{number % 60}"),
        ]
        told = update("delta", change, [(f"{101 + at}", f"{number % 5}")], symbol="AB"[number % 2])
        at_ns = START_NS + number * 130 * MS
        made.append(msgspec.structs.replace(told, event_ns=at_ns, received_ns=at_ns))
    return made


def test_any_cutting_and_a_checkpoint_in_between_give_the_same_bits():
    records = busy(300)
    whole, _, _ = turned(Books(), records)
    books, cut, at = Books(), [], 0
    for step in (1, 2, 3, 50, 7, 11, 13) * 4:
        books = Books(books.save())
        cut.append(books.turn(frame(records[at : at + step], first=at), NOTHING).rows)
        at += step
    found = pl.concat(cut)

    assert at >= len(records)
    assert whole["bid_wall_end"].n_unique() > 1
    assert_frame_equal(whole.sort("symbol", "event_ns"), found.sort("symbol", "event_ns"), check_exact=True)


def test_a_checkpoint_from_before_rows_were_kept_goes_on_without_them():
    books = Books()
    turned(books, busy(120))
    held = msgspec.msgpack.decode(books.save())
    flow, before_rows, levels = 6, 8, 10
    for book in held["books"]:
        book[flow] = book[flow][:before_rows]
    old = msgspec.msgpack.encode(held | {"version": 1, "books": [book[:levels] for book in held["books"]]})
    later = [update(symbol="A", at_ns=START_NS + at * SECOND_NS) for at in (16, 17)]
    rows, wanted = (turned(Books(state), later)[0] for state in (old, books.save()))

    assert rows["bid_removed_rate"].null_count() == len(rows) > 0
    assert wanted["bid_removed_rate"].null_count() < len(wanted)
    assert_frame_equal(wanted.select("event_ns", "mid", "ofi_1"), rows.select("event_ns", "mid", "ofi_1"))


def test_kernels_and_twin_see_the_same_leave_the_best_queue():
    rows = [turned(Books(made=made()), busy(120))[0] for made in (compiled_engine, plain_engine)]

    assert_frame_equal(*rows, rel_tol=1e-9, abs_tol=1e-9)


def test_what_recorded_books_tell_of_the_time_before_is_what_the_slow_way_says(captures):
    from tests.test_binance_recordings import of_symbols  # noqa: PLC0415  reads the recordings

    assert captures.is_dir()
    updates = of_symbols("binance-btcusdt-20240808.jsonl.gz", BookUpdate)["BTCUSDT"][:70]
    told_walls = 0
    for wanted, row in every_row(every_300_ms(updates)):
        assert_says(wanted, row)
        told_walls += wanted["bid_wall_age_ms"] is not None
    assert told_walls


def every_300_ms(updates):
    times = [START_NS + number * 300 * MS for number in range(len(updates))]
    return [
        msgspec.structs.replace(one, event_ns=at_ns, received_ns=at_ns)
        for one, at_ns in zip(updates, times, strict=True)
    ]
