"""Book statistics, what happened before an instant: depletion, walls that went and recovery, over the last 10 s."""

import numpy as np
import polars as pl

from common.book_shapes import Floats
from common.clock import NS_PER_S
from processors.transforms.book_past import (
    FIELDS,
    SIDES,
    Past,
    remember,
    remember_walls,
    seen_of,
    walls_before,
    woven,
)
from processors.transforms.book_walls import side_of, standing
from processors.transforms.book_walls import told as walls_told
from processors.transforms.book_window import (
    WINDOW_NS,
    Windows,
    before,
    is_large_fall,
    recovery,
    window_sums,
    windows,
)


def dynamics(frame: pl.DataFrame, made: pl.DataFrame, pasts: list[Past], lengths: list[int]) -> list[pl.Series]:
    """
    Return statistics of what happened before each row, and let every book's past go on.

    Args:
        frame: as `book_frame` makes it, with walls; each book's rows together, in the order in which they were told.
        made: the fields of BookStat of the same rows.
        pasts: of each book, changed in place.
        lengths: how many of the rows are each book's; none has none.
    """
    totals = np.array([past.rows for past in pasts]) + np.array(lengths)
    is_new, at_ns, seen = woven(pasts, lengths, made["event_ns"].to_numpy(), seen_of(frame, made))
    values = dict(zip(FIELDS, seen, strict=True))
    rows = windows(at_ns, totals, values["broken"] > 0)
    lasts = np.cumsum(totals) - 1
    columns = _recoveries(values, rows)
    told: list[pl.Series] = []
    for side in SIDES:
        columns[f"{side}_removed_rate"] = window_sums(values[f"{side}_removed"], rows) * (NS_PER_S / WINDOW_NS)
        shown = side_of(side, frame, made)
        walls = standing(shown, np.flatnonzero(is_new), walls_before(side, pasts, lasts - np.array(lengths)), rows)
        told += walls_told(side, shown, walls, is_new, rows)
        remember_walls(side, pasts, lasts, walls)
    remember(pasts, totals, rows, seen)
    told += [pl.Series(name, column[is_new], nan_to_null=True) for name, column in columns.items()]
    rates = {one.name: one for one in told}
    return [*told, *(_depletion(side, frame, rates[f"{side}_removed_rate"]) for side in SIDES)]


def _depletion(side: str, frame: pl.DataFrame, rate: pl.Series) -> pl.Series:
    """Return in how many seconds the best queue is gone at the rate of the window; null at no rate, or of no queue."""
    size = frame[f"{side}_sizes"].arr.first()
    return (size / rate).set((rate == 0) | (size == 0), None).alias(f"{side}_depletion_s")


def _recoveries(values: dict[str, Floats], rows: Windows) -> dict[str, Floats]:
    """Return how depth came back after large removals, and the spread after it doubled."""
    made: dict[str, Floats] = {}
    spread = values["spread"]
    with np.errstate(invalid="ignore", divide="ignore"):
        former = before(spread, rows)
        cases = [("spread", spread, (former > 0) & (spread >= 2 * former))]
        cases += [(side, values[f"{side}_depth"], is_large_fall(values[f"{side}_depth"], rows)) for side in SIDES]
        for name, measure, is_removal in cases:
            found = recovery(measure, is_removal, rows)
            made |= {f"{name}_resilience": found.share, f"{name}_half_life_s": found.half_life_s}
    return made
