"""Books as they were at instants: the best levels or all, as rows of snapshots."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]  # brings no types

from common.book import Book
from common.book_engine import Engine
from common.book_shapes import ASKS, AT, BIDS, KEY, ORDERS, ROW_RECEIVED, SHOWN, SIZE, Ints
from common.records import BookSnapshot
from processors.frames import schema_of
from processors.transforms.book_frame import SIDES, decimal_text, lists
from processors.transforms.book_messages import most_of
from processors.transforms.book_rows import Reading


@dataclass(frozen=True)
class Dump:
    """One book at instants: (prices, sizes, orders) of each side, each instant's best first, scaled."""

    venue: str
    symbol: str
    digits: tuple[int, int]
    timetable: Ints
    sequences: list[int | None]
    depth: int
    lengths: tuple[Ints, Ints]  # levels a side at each instant
    sides: tuple[Ints, Ints]  # (3, levels)


def tops(reading: Reading, every_ns: int) -> Dump:
    """Return the best levels at those instants that are multiples of `every_ns`."""
    wanted = np.flatnonzero(reading.timetable[:, AT] % every_ns == 0)
    shown = np.minimum(reading.instants.counts[wanted], SHOWN)
    is_there = np.arange(SHOWN) < shown[:, :, None]
    of_rows = np.swapaxes(reading.instants.tops[wanted], 0, 2)  # (3, side, rows, SHOWN)
    return Dump(
        reading.venue,
        reading.symbol,
        reading.digits,
        reading.timetable[wanted],
        [reading.sequences[row] for row in wanted.tolist()],
        SHOWN,
        (shown[:, BIDS], shown[:, ASKS]),
        (of_rows[:, BIDS, is_there[:, BIDS]], of_rows[:, ASKS, is_there[:, ASKS]]),
    )


def whole(book: Book, row: Ints, sequence: int | None) -> Dump:
    """Return all levels of a book that are known: those behind the window of a limited snapshot are not."""
    bids, asks = (book.best_first(which) for which in (BIDS, ASKS))
    lowest, highest = book.known_to()
    bids, asks = bids[:, bids[KEY] >= lowest], asks[:, asks[KEY] <= -highest]
    lengths = bids.shape[1], asks.shape[1]
    return Dump(
        book.venue,
        book.symbol,
        (book.price_digits, book.size_digits),
        row[None],
        [sequence],
        max(lengths),
        (np.array(lengths[:1]), np.array(lengths[1:])),
        (bids, asks),
    )


def snapshots(dumps: list[Dump], kernels: Engine) -> pl.DataFrame:
    """Return the fields of BookSnapshot, exact."""
    schema = schema_of(BookSnapshot)
    if not dumps:
        return pl.DataFrame(schema=schema)
    rows = [len(dump.timetable) for dump in dumps]
    each = pl.DataFrame({name: [getattr(dump, name) for dump in dumps] for name in ("venue", "symbol", "depth")})
    timetable = np.concatenate([dump.timetable for dump in dumps])
    columns = [
        *each[np.repeat(np.arange(len(dumps)), rows)],
        pl.Series("received_ns", timetable[:, ROW_RECEIVED]),
        pl.Series("event_ns", timetable[:, AT]),
        pl.Series("sequence", list(chain(*(dump.sequences for dump in dumps))), dtype=pl.Int64),
    ]
    digits = np.repeat(np.array([dump.digits for dump in dumps]), rows, axis=0)
    for which, side in enumerate(SIDES):
        columns += _levels(dumps, which, side, digits=digits, kernels=kernels)
    made = pl.DataFrame(columns).with_columns(source=pl.lit("maintained"))
    return made.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _levels(dumps: list[Dump], which: int, side: str, *, digits: Ints, kernels: Engine) -> list[pl.Series]:
    lengths = np.concatenate([dump.lengths[which] for dump in dumps])
    flat = abs(np.concatenate([dump.sides[which] for dump in dumps], axis=1))
    of_levels = np.repeat(digits, lengths, axis=0)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tells = most_of(np.maximum, flat[ORDERS], starts) > 0
    orders = pa.array(flat[ORDERS][np.repeat(tells, lengths)])
    prices, sizes = (decimal_text(flat[row], of_levels[:, row].copy(), kernels) for row in (KEY, SIZE))
    return [
        lists(prices, lengths).alias(f"{side}_prices"),
        lists(sizes, lengths).alias(f"{side}_sizes"),
        lists(orders, lengths * tells).alias(f"{side}_orders"),
    ]
