"""
Order books: messages and 5,000-level snapshots that one second of CPU carries, beside a sorted dictionary in Python.

`python -m benchmarks.books [--cryptofeed]`. The same messages go through all: 56 levels each, over ten books of 400
levels a side. Each book tells a message and a row of statistics each 100 ms of event time, as Binance's do;
`five_a_row` has five messages for each row. cryptofeed, in an environment of its own, keeps the same books and makes no
statistics.
"""

import json
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.book_figures import BookFigures
from benchmarks.cryptofeed_peer import book_messages
from benchmarks.sorted_book import SortedBook
from common.book_engine import engine, warm_up
from common.codec import decode_alike, encode_lines
from common.records import BookSnapshot, BookUpdate
from processors.books import Books
from processors.frames import frame_of
from processors.transforms.rest_books import rest_book_stats

SYMBOLS, LEVELS, CHANGED, DEEP = 10, 400, 28, 5_000
START_NS, STEP_NS, ROW_NS = 1_700_000_000 * 10**9, 20 * 10**6, 100 * 10**6
BATCH = 4_000  # about what 16 MiB hold, the most of one batch


def updates(count: int, step_ns: int) -> list[BookUpdate]:
    """Return messages of ten books, one after the other: a snapshot of each, then changes near the best."""
    chance = random.Random(1)
    return [_update(chance, number, step_ns) for number in range(count)]


def _update(chance: random.Random, number: int, step_ns: int) -> BookUpdate:
    symbol, turn = number % SYMBOLS, number // SYMBOLS
    is_first = turn == 0
    bids, asks = (_levels(chance, sign, is_first) for sign in (-1, 1))
    at_ns = START_NS + turn * step_ns + symbol
    kind = "snapshot" if is_first else "delta"
    prices, sizes = ([tuple(column) for column in zip(*side, strict=True)] for side in (bids, asks))
    return BookUpdate(
        "bench",
        f"S{symbol}",
        at_ns,
        event_ns=at_ns,
        kind=kind,
        last_sequence=number,
        bid_prices=prices[0],
        bid_sizes=prices[1],
        ask_prices=sizes[0],
        ask_sizes=sizes[1],
    )


def _levels(chance: random.Random, sign: int, is_first: bool) -> list[tuple[str, str]]:  # noqa: FBT001  of one message
    if is_first:
        distances = list(range(1, LEVELS + 1))
    else:
        distances = sorted({min(int(chance.expovariate(1 / 80)) + 1, LEVELS) for _ in range(2 * CHANGED)})[:CHANGED]
    sizes = [
        0 if not is_first and distance > 1 and chance.random() < 0.3 else chance.random() * 5 for distance in distances
    ]
    return [(f"{60_000 + sign * d * 0.1:.8f}", f"{size:.8f}") for d, size in zip(distances, sizes, strict=True)]


def frames(records: list[BookUpdate]) -> Iterator[pl.DataFrame]:
    """Yield batches as a processor gets them."""
    for at in range(0, len(records), BATCH):
        yield _frame(frame_of(records[at : at + BATCH], BookUpdate))


def _frame(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.lit(0, dtype=pl.UInt16).alias("shard"), offset=pl.int_range(pl.len(), dtype=pl.UInt64))


def per_cpu_s(count: int, work: Callable[[], object]) -> float:
    """Return how many of `count` things a second of CPU does."""
    before = time.process_time()
    work()
    return count / (time.process_time() - before)


def ours(records: list[BookUpdate]) -> float:
    """Return messages per CPU-second, from frames to statistics."""
    books, batches = Books(), list(frames(records))
    return per_cpu_s(len(records), lambda: [books.turn(batch, batch) for batch in batches])


def ours_from_bytes(records: list[BookUpdate]) -> float:
    """Return the same from the bytes of stream entries."""
    books = Books()
    entries = [encode_lines(records[at : at + BATCH]) for at in range(0, len(records), BATCH)]

    def work() -> None:
        for entry in entries:
            batch = _frame(frame_of(decode_alike(entry, BookUpdate), BookUpdate))
            books.turn(batch, batch)

    return per_cpu_s(len(records), work)


def sorted_dict(records: list[BookUpdate], *, is_whole: bool) -> float:
    """Return messages per CPU-second of the plain way, from records to statistics: all of ours, or the best 20's."""
    books: dict[str, SortedBook] = {}
    told: dict[str, int] = {}

    def work() -> None:
        for record in records:
            book = books.setdefault(record.symbol, SortedBook())
            instant = (record.event_ns or 0) // ROW_NS
            if told.setdefault(record.symbol, instant) != instant:
                told[record.symbol] = instant
                book.statistics(is_whole=is_whole)
            book.apply(record)

    return per_cpu_s(len(records), work)


def snapshots(count: int) -> float:
    """Return books of 2 x 5,000 levels per CPU-second, with all statistics."""
    chance = random.Random(2)
    sides = [
        [(f"{60_000 + sign * level * 0.1:.1f}", f"{chance.random() * 5:.8f}") for level in range(1, DEEP + 1)]
        for sign in (-1, 1)
    ]
    (bid_prices, bid_sizes), (ask_prices, ask_sizes) = ([tuple(c) for c in zip(*side, strict=True)] for side in sides)
    one = BookSnapshot(
        "bench",
        "DEEP",
        START_NS,
        depth=DEEP,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        source="rest",
    )
    batch = _frame(frame_of([one] * 20, BookSnapshot))
    return per_cpu_s(count, lambda: [rest_book_stats(batch, batch) for _ in range(count // 20)])


def book_bytes(count: int = 200) -> float:
    """Return the memory of a book of 400 levels a side, after a burst of changes."""
    records = [one for one in updates(SYMBOLS * 20, STEP_NS) if one.symbol == "S0"]
    batches = []
    for number in range(count):
        named = [
            BookUpdate(**{f: getattr(one, f) for f in one.__struct_fields__} | {"symbol": f"M{number}"})
            for one in records
        ]
        batches.append(_frame(frame_of(named, BookUpdate)))
    books = Books()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for batch in batches:
        books.turn(batch, batch)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / count


def measure(count: int = 20_000) -> BookFigures:
    """Measure everything, after warming up."""
    warm_up(engine())
    ours(updates(2_000, ROW_NS))
    records = updates(count, ROW_NS)
    return BookFigures(
        messages=ours(records),
        five_a_row=ours(updates(count, STEP_NS)),
        from_bytes=ours_from_bytes(records),
        sorted_dict=sorted_dict(records[: count // 8], is_whole=True),
        sorted_dict_20=sorted_dict(records[: count // 4], is_whole=False),
        snapshots=snapshots(200),
        book_bytes=book_bytes(),
    )


def cryptofeed(records: list[BookUpdate]) -> float:
    """
    Return messages per CPU-second of cryptofeed's books, from the venue's JSON to its callback.

    Raises:
        Broken: the package cannot be had, or does not run here.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "messages"
        file.write_text("\n".join(map(_as_binance, records)))
        return book_messages(file)


def _as_binance(record: BookUpdate) -> str:
    turn = (record.last_sequence or 0) // SYMBOLS  # each symbol's own numbers have no holes
    sides = {"b": (record.bid_prices, record.bid_sizes), "a": (record.ask_prices, record.ask_sizes)}
    levels = {side: list(zip(*columns, strict=True)) for side, columns in sides.items()}
    told = {"e": "depthUpdate", "E": (record.event_ns or 0) // 10**6, "s": f"{record.symbol}USDT"}
    return json.dumps(told | {"U": turn, "u": turn} | levels)


def main() -> None:
    """Print the figures and bars as JSON."""
    found = measure()
    if "--cryptofeed" in sys.argv:
        found = replace(found, cryptofeed=cryptofeed(updates(10_000, ROW_NS)))
    print(json.dumps({**asdict(found), "ratio": found.ratio, "bars": found.bars}, indent=2))


if __name__ == "__main__":
    main()
