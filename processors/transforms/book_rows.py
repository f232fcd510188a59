"""What was read off books, as rows of statistics."""

from dataclasses import dataclass
from itertools import chain, groupby
from typing import Literal

import numpy as np
import polars as pl

from common.book_choice import Choice
from common.book_engine import Engine
from common.book_shapes import (
    AT,
    ROW_EVENT,
    ROW_LATE,
    ROW_RECEIVED,
    ROW_UPDATES,
    Instants,
    Ints,
)
from common.book_stat import BookStat
from common.clock import NS_PER_MS
from processors.frames import schema_of
from processors.transforms.book_dynamics import dynamics
from processors.transforms.book_frame import book_frame, joined
from processors.transforms.book_past import Past
from processors.transforms.book_shape import with_walls
from processors.transforms.book_stats import book_stats


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


def kept_statistics(
    readings: list[Reading], pasts: dict[tuple[str, str], Past], choice: Choice, kernels: Engine
) -> pl.DataFrame:
    """Return the fields of BookStat of books that are kept, and let their pasts go on."""
    readings = sorted(readings, key=_name)  # a book's own stay in their order
    if not readings:
        return pl.DataFrame(schema=schema_of(BookStat))
    frame = _frame(readings, "maintained", choice, kernels)
    made = book_stats(frame, choice)
    rows = {name: sum(one.rows for one in group) for name, group in groupby(readings, key=_name)}
    own = [pasts.setdefault(name, Past()) for name in rows]
    return made.with_columns(dynamics(frame, made, own, list(rows.values())))


def _name(reading: Reading) -> tuple[str, str]:
    return reading.venue, reading.symbol


def asked_statistics(readings: list[Reading], choice: Choice, kernels: Engine) -> pl.DataFrame:
    """Return the fields of BookStat of books that came whole: they have no past."""
    if not readings:
        return pl.DataFrame(schema=schema_of(BookStat))
    return book_stats(_frame(readings, "rest", choice, kernels), choice)


def _frame(
    readings: list[Reading], source: Literal["maintained", "rest"], choice: Choice, kernels: Engine
) -> pl.DataFrame:
    timetable = np.concatenate([reading.timetable for reading in readings])
    lengths = [reading.rows for reading in readings]
    digits = np.repeat(np.array([reading.digits for reading in readings]), lengths, axis=0)
    names = pl.DataFrame({name: [getattr(r, name) for r in readings] for name in ("venue", "symbol")})
    frame = book_frame(joined([reading.instants for reading in readings]), digits, choice, kernels).with_columns(
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
