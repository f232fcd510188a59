"""Book statistics, what happened before an instant: depletion, walls that went and recovery, over the last 10 s."""

from typing import NamedTuple

import numpy as np
import polars as pl

from common.book_shapes import Floats, Ints
from common.clock import NS_PER_MS, NS_PER_S
from processors.transforms.book_past import AT, FIELDS, SIDES, SINCE, Past, remember, seen_of, times_of, woven
from processors.transforms.book_window import (
    WINDOW_NS,
    Flags,
    Windows,
    before,
    is_large_fall,
    is_same,
    newest,
    recovery,
    window_sums,
    windows,
)

SIGN = {"bid": 1, "ask": -1}
OTHER = {"bid": "ask", "ask": "bid"}


class Wall(NamedTuple):
    """The nearest wall of a side in the row before, and the best price then; NaN for none."""

    price: Floats
    size: Floats
    best: Floats


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
    is_new, times, seen = woven(pasts, lengths, times_of(made), seen_of(frame, made))
    values = dict(zip(FIELDS, seen, strict=True))
    rows = windows(times[AT], totals, values["broken"] > 0)
    columns = _recoveries(values, rows)
    told: list[pl.Series] = []
    for side in SIDES:
        price = values[f"{side}_wall_price"]
        times[SINCE[side]] = _since(price, times[SINCE[side]], is_new, rows)
        age_ms = (times[AT] - times[SINCE[side]]) / NS_PER_MS
        columns |= {f"{side}_wall_age_ms": np.where(np.isnan(price), np.nan, age_ms)}
        columns[f"{side}_removed_rate"] = window_sums(values[f"{side}_removed"], rows) * (NS_PER_S / WINDOW_NS)
        wall = Wall(*(before(values[f"{side}_{what}"], rows)[is_new] for what in ("wall_price", "wall_size", "best")))
        told += _ended(side, frame, made, wall)
    remember(pasts, totals, rows, times, seen)
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


def _since(price: Floats, since: Ints, is_new: Flags, rows: Windows) -> Ints:
    """Return since when the nearest wall of each row stands; a past row knows, a new one has its own time there."""
    begins = newest(~is_new | ~is_same(price, before(price, rows)))
    return since[begins]


def _ended(side: str, frame: pl.DataFrame, made: pl.DataFrame, wall: Wall) -> list[pl.Series]:
    """
    Return how much went of a wall that is one no more, and how, as far as a book can tell.

    Trades take the best price first. What goes behind a better price that stood before and after was pulled; where the
    other side has come to the wall's price it was eaten.
    """
    prices, sizes = (frame[f"{side}_{what}s"].to_numpy() for what in ("price", "size"))
    is_level = is_same(wall.price[:, None], prices) & (sizes > 0)
    left = np.where(is_level, sizes, 0).sum(axis=1)
    is_wall = (is_level & (frame[f"{side}_wall_excess"].to_numpy() >= 0)).any(axis=1)
    has_all = frame[f"{side}_levels"].to_numpy() <= prices.shape[1]
    is_in_view = has_all | (SIGN[side] * (wall.price - prices[:, -1]) >= 0)
    is_shown = made[f"{side}_walls"].is_not_null().to_numpy()
    went = is_shown & is_in_view & ~is_wall & (left < wall.size)
    best, other = (
        made[f"best_{name}"].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in (side, OTHER[side])
    )
    is_behind = (SIGN[side] * (wall.best - wall.price) > 0) & (SIGN[side] * (best - wall.price) > 0)
    is_reached = (SIGN[side] * (other - wall.price) <= 0) | is_same(wall.price, other)
    ends = np.select([went & is_reached, went & is_behind & ~is_same(wall.price, best)], ["eaten", "pulled"], "")
    end = pl.Series(f"{side}_wall_end", ends)
    return [
        pl.Series(f"{side}_wall_gone", np.where(went, wall.size - left, np.nan), nan_to_null=True),
        end.set(end == "", None),
    ]
