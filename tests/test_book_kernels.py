"""The book kernels, their numpy twin and a book of decimals say the same, whatever is told."""

import os
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from common.book import no_clock
from common.book_compiled import forget_stale
from common.book_engine import compiled_engine, plain_engine
from common.book_shapes import ASKS, BIDS, LARGEST, MOST_BYTES, NOWHERE, ROW_FIELDS, Arrivals, Timing
from processors.books import Books
from tests.book_kit import SECOND_NS, START_NS, levels, turned, update
from tests.book_reference import DecimalBook

ENGINES = {"compiled": compiled_engine(), "plain": plain_engine()}
STEP_NS = 50_000_000

prices = st.one_of(
    st.integers(1, 40).map(str),
    st.integers(1, 4000).map(lambda number: f"{number / 100:.2f}"),
    st.sampled_from(["1e-8", "0.5000", "12.", ".25", "3.00000001"]),
)
sizes = st.one_of(st.sampled_from(["0", "0.00000000", "0"]), st.integers(1, 10**6).map(lambda n: f"{n / 1000:.3f}"))
side = st.lists(st.tuples(prices, sizes), max_size=30)
message = st.tuples(
    st.sampled_from(["delta", "delta", "delta", "snapshot"]), side, side, st.sampled_from([None, None, 3, 10])
)


def messages_of(told):
    return [
        update(kind, bids, asks, at_ns=START_NS + number * STEP_NS, depth=depth)
        for number, (kind, bids, asks, depth) in enumerate([("snapshot", *told[0][1:]), *told[1:]])
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(message, min_size=1, max_size=12))
def test_kernels_and_twin_agree_with_a_book_of_decimals(told):
    records = messages_of(told)
    wanted = DecimalBook()
    for record in records:
        wanted.apply(record)
    found = {name: Books(made=engine) for name, engine in ENGINES.items()}
    rows = {name: turned(books, records) for name, books in found.items()}

    for books in found.values():
        (book,) = books._books.values()
        assert [(price, wanted.bids[price][0]) for price in sorted(wanted.bids, reverse=True)] == levels(book, BIDS)
        assert [(price, wanted.asks[price][0]) for price in sorted(wanted.asks)] == levels(book, ASKS)
    for compiled, plain in zip(rows["compiled"], rows["plain"], strict=True):
        assert_frame_equal(plain, compiled, rel_tol=1e-9, abs_tol=1e-9)


TIMING = Timing(100, 1_000, 1_000, 30_000)
arrival = st.tuples(
    st.sampled_from([0, 50, 300, 5_000, 100_000]), st.sampled_from([None, 0, -500, 100, -60_000]), st.booleans()
)


@settings(max_examples=200, deadline=None)
@given(st.lists(arrival, min_size=1, max_size=12), st.sampled_from([10**6, 10**7]))
def test_both_tell_the_same_instants(told, first_ns):
    received = np.cumsum([first_ns, *(gap for gap, *_ in told)])[1:]
    events = [NOWHERE if skew is None else 10**6 + at + skew for at, (_, skew, _) in zip(received, told, strict=True)]
    snapshots = np.array([is_snapshot for *_, is_snapshot in told], np.int64)
    arrivals = Arrivals(np.array(events), received, received // 100 * 100, snapshots)
    span = np.array([0, len(told), int(received[-1]) + 3_000])
    found = {}
    for name, engine in ENGINES.items():
        clock, rows = no_clock(), np.zeros((2_000, ROW_FIELDS), np.int64)
        count = engine.timetable(clock, arrivals, span, TIMING, rows)
        found[name] = (count, rows[:count].tolist(), clock.tolist())

    assert found["plain"] == found["compiled"]


texts = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=12).map(lambda number: f"{number:f}"),
    st.from_regex(r"[+-]?[0-9]{0,22}(\.[0-9]{0,22})?(e[+-]?[0-9]{1,2})?", fullmatch=True),
    st.text(max_size=6),
)


def numbers(engine, words):
    coded = [word.encode() for word in words]
    # Neither can be written, as in a frame: so they are what is compiled already.
    offsets = np.frombuffer(np.cumsum([0, *map(len, coded)]).astype(np.int64).tobytes(), np.int64)
    data = np.frombuffer(b"".join(coded) or b" ", np.uint8)
    mantissas, digits = np.zeros(len(coded), np.int64), np.zeros(len(coded), np.int64)
    engine.read_numbers(data, offsets, mantissas, digits)
    return list(zip(mantissas.tolist(), digits.tolist(), strict=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(texts, min_size=1, max_size=20))
def test_both_read_the_same_number_out_of_any_text(words):
    ascii_words = [word for word in words if word.isascii()]

    assert numbers(ENGINES["plain"], ascii_words) == numbers(ENGINES["compiled"], ascii_words)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize(
    ("text", "mantissa", "digits"),
    [
        ("61837.63000000", 6183763, 2),
        ("0.000000000000000001", 1, 18),
        (".48", 48, 2),
        ("1e-8", 1, 8),
        ("1.5e3", 1500, 0),
        ("0.00000000", 0, 0),
        ("4611686018427387903", 2**62 - 1, 0),
    ],
)
def test_a_number_is_read_exactly(engine, text, mantissa, digits):
    assert [(mantissa, digits)] == numbers(engine, [text])


whole_numbers = st.one_of(st.integers(0, LARGEST), st.integers(0, 1_000), st.integers(1, 99).map(lambda n: n * 10**16))


def written(engine, scaled, digits):
    data, offsets = np.zeros(MOST_BYTES * len(scaled), np.uint8), np.zeros(len(scaled) + 1, np.int64)
    engine.write_numbers(np.array(scaled), np.array(digits), data, offsets)
    return [data[start:stop].tobytes().decode() for start, stop in pairwise(offsets)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(whole_numbers, st.integers(0, 18)), min_size=1, max_size=20))
def test_both_write_a_number_exactly_and_as_short_as_can_be(told):
    scaled, digits = zip(*told, strict=True)
    texts = written(ENGINES["compiled"], scaled, digits)

    assert texts == written(ENGINES["plain"], scaled, digits)
    for text, number, behind in zip(texts, scaled, digits, strict=True):
        assert Decimal(number).scaleb(-behind) == Decimal(text)
        assert "E" not in text
        assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
@pytest.mark.parametrize("text", ["", "x", "NaN", "1,5", "4611686018427387904", "0.0000000000000000001", " 1", "1_0"])
def test_what_is_no_such_number_is_refused(engine, text):
    ((_, digits),) = numbers(engine, [text])

    assert digits < 0


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_a_finer_price_makes_the_whole_book_finer(engine):
    books = Books(made=engine)
    turned(books, [update("snapshot", [("1", "1")], [("2", "1")]), update("delta", [("1.5", "0.25")])])

    (book,) = books._books.values()
    assert [(Decimal("1.5"), Decimal("0.25")), (Decimal(1), Decimal(1))] == levels(book, BIDS)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_numbers_that_do_not_fit_one_scale_are_refused_by_name_and_the_book_is_unknown_until_a_snapshot(engine):
    books = Books(made=engine)
    told = [
        update("snapshot", [("60000", "1")], [("60001", "1")]),
        update("delta", [("0.000000000000000001", "1")], at_ns=START_NS + SECOND_NS),
        update("delta", [("59999", "1")], at_ns=START_NS + 2 * SECOND_NS),
        update("snapshot", [("7", "1")], [("8", "1")], at_ns=START_NS + 3 * SECOND_NS),
    ]
    _, _, refused = turned(books, told)

    assert [(1, "expected prices below 2^62 x 10^-18, found one that is larger")] == refused.rows()
    (book,) = books._books.values()
    assert [(Decimal(7), Decimal(1))] == levels(book, BIDS)


def test_what_was_compiled_before_a_source_changed_is_forgotten(tmp_path):
    for name, written_s in (("book_old.run.nbi", 1), ("book_new.run.nbi", 3), ("other.run.nbi", 1), ("book_a.py", 2)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (written_s, written_s))

    forget_stale(tmp_path, tmp_path)

    assert {"book_new.run.nbi", "other.run.nbi", "book_a.py"} == {path.name for path in tmp_path.iterdir()}
