"""What was read off books, as rows of records: statistics, and the books themselves."""

from dataclasses import dataclass
from itertools import chain, groupby
from typing import Literal

import numpy as np
import polars as pl

from common.book import Book
from common.book_choice import ALL, Choice
from common.book_shapes import (
    ASKS,
    AT,
    BIDS,
    KEY,
    ORDERS,
    ROW_EVENT,
    ROW_LATE,
    ROW_RECEIVED,
    ROW_UPDATES,
    SHOWN,
    SIZE,
    Instants,
    Ints,
)
from common.book_stat import BookStat
from common.clock import NS_PER_MS
from common.records import BookSnapshot
from processors.frames import schema_of
from processors.transforms.book_dynamics import dynamics
from processors.transforms.book_frame import book_frame, decimal_text, joined, lists
from processors.transforms.book_past import Past
from processors.transforms.book_shape import with_walls
from processors.transforms.book_stats import book_stats

SIDES = ("bid", "ask")


@dataclass(frozen=True)
class Reading:
    """One book at some instants; `timetable` has a row for each."""

    venue: str
    symbol: str
    digits: tuple[int, int]
    timetable: Ints
    sequences: list[int | None]
    instants: Instants

    @property
    def rows(self) -> int:
        """Return the number of instants."""
        return len(self.timetable)


@dataclass(frozen=True)
class Dump:
    """A book at an instant, whole: (prices, sizes, orders) of each side, best first, scaled."""

    venue: str
    symbol: str
    digits: tuple[int, int]
    event_ns: int
    received_ns: int
    sequence: int | None
    depth: int
    sides: tuple[Ints, Ints]


def kept_statistics(readings: list[Reading], pasts: dict[tuple[str, str], Past], choice: Choice = ALL) -> pl.DataFrame:
    """Return the fields of BookStat of books that are kept, and let their pasts go on."""
    readings = sorted(readings, key=_name)  # a book's own stay in their order
    if not readings:
        return pl.DataFrame(schema=schema_of(BookStat))
    frame = _frame(readings, "maintained", choice)
    made = book_stats(frame, choice)
    rows = {name: sum(one.rows for one in group) for name, group in groupby(readings, key=_name)}
    own = [pasts.setdefault(name, Past()) for name in rows]
    return made.with_columns(dynamics(frame, made, own, list(rows.values())))


def _name(reading: Reading) -> tuple[str, str]:
    return reading.venue, reading.symbol


def asked_statistics(readings: list[Reading], choice: Choice = ALL) -> pl.DataFrame:
    """Return the fields of BookStat of books that came whole: they have no past."""
    if not readings:
        return pl.DataFrame(schema=schema_of(BookStat))
    return book_stats(_frame(readings, "rest", choice), choice)


def _frame(readings: list[Reading], source: Literal["maintained", "rest"], choice: Choice) -> pl.DataFrame:
    timetable = np.concatenate([reading.timetable for reading in readings])
    lengths = [reading.rows for reading in readings]
    digits = np.repeat(np.array([reading.digits for reading in readings]), lengths, axis=0)
    names = pl.DataFrame({name: [getattr(r, name) for r in readings] for name in ("venue", "symbol")})
    frame = book_frame(joined([reading.instants for reading in readings]), digits, choice).with_columns(
        *names[np.repeat(np.arange(len(readings)), lengths)],
        pl.Series("received_ns", timetable[:, ROW_RECEIVED]),
        pl.Series("event_ns", timetable[:, AT]),
        pl.Series("sequence", list(chain(*(reading.sequences for reading in readings))), dtype=pl.Int64),
        *_messages(timetable, source),
        source=pl.lit(source),
    )
    return with_walls(frame)


def _messages(timetable: Ints, source: str) -> list[pl.Series]:
    """Return what a row tells of the messages in it: nothing, where the book came whole."""
    made = [
        pl.Series("updates", timetable[:, ROW_UPDATES]),
        pl.Series("late_updates", timetable[:, ROW_LATE]),
        pl.Series("age_ms", (timetable[:, AT] - timetable[:, ROW_EVENT]) / NS_PER_MS),
    ]
    return [column.clear(len(timetable)) if source == "rest" else column for column in made]


def tops(reading: Reading, every_ns: int) -> list[Dump]:
    """Return the best levels at those instants that are multiples of `every_ns`."""
    wanted = np.flatnonzero(reading.timetable[:, AT] % every_ns == 0).tolist()
    return [_dump(reading, row) for row in wanted]


def _dump(reading: Reading, row: int) -> Dump:
    sides = [
        reading.instants.tops[row, which, :, : min(SHOWN, int(reading.instants.counts[row, which]))]
        for which in (BIDS, ASKS)
    ]
    return Dump(
        reading.venue,
        reading.symbol,
        reading.digits,
        int(reading.timetable[row, AT]),
        int(reading.timetable[row, ROW_RECEIVED]),
        reading.sequences[row],
        SHOWN,
        (sides[BIDS], sides[ASKS]),
    )


def whole(book: Book, row: Ints, sequence: int | None) -> Dump:
    """Return all levels of a book that are known: those behind the window of a limited snapshot are not."""
    sides = tuple(book.best_first(which) for which in (BIDS, ASKS))
    known = [
        side[:, side[KEY] >= floor] if which == BIDS else side[:, side[KEY] <= -floor]
        for which, (side, floor) in enumerate(zip(sides, book.known_to(), strict=True))
    ]
    return Dump(
        book.venue,
        book.symbol,
        (book.price_digits, book.size_digits),
        int(row[AT]),
        int(row[ROW_RECEIVED]),
        sequence,
        max(side.shape[1] for side in known),
        (known[BIDS], known[ASKS]),
    )


def snapshots(dumps: list[Dump]) -> pl.DataFrame:
    """Return the fields of BookSnapshot, exact."""
    schema = schema_of(BookSnapshot)
    if not dumps:
        return pl.DataFrame(schema=schema)
    columns = [
        pl.Series(name, [getattr(dump, name) for dump in dumps])
        for name in ("venue", "symbol", "received_ns", "event_ns", "depth", "sequence")
    ]
    for which, side in enumerate(SIDES):
        columns += _levels(dumps, which, side)
    made = pl.DataFrame(columns).with_columns(source=pl.lit("maintained"))
    return made.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _levels(dumps: list[Dump], which: int, side: str) -> list[pl.Series]:
    lengths = np.array([dump.sides[which].shape[1] for dump in dumps])
    flat = np.concatenate([dump.sides[which] for dump in dumps], axis=1)
    digits = np.repeat(np.array([dump.digits for dump in dumps]), lengths, axis=0)
    tells = np.array([bool(dump.sides[which][ORDERS].any()) for dump in dumps])
    orders = pl.Series(flat[ORDERS][np.repeat(tells, lengths)])
    return [
        lists(decimal_text(abs(flat[KEY]), digits[:, KEY]), lengths).alias(f"{side}_prices"),
        lists(decimal_text(flat[SIZE], digits[:, SIZE]), lengths).alias(f"{side}_sizes"),
        lists(orders, lengths * tells).alias(f"{side}_orders"),
    ]
