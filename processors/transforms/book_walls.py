"""Book statistics, what became of walls from row to row: how long each stands, and how those that went have gone."""

from typing import NamedTuple

import numpy as np
import polars as pl

from common.book_shapes import Floats, Ints
from common.clock import NS_PER_MS
from processors.transforms.book_past import Walls, joined_walls
from processors.transforms.book_window import Flags, Windows, is_same

SIGN = {"bid": 1, "ask": -1}
OTHER = {"bid": "ask", "ask": "bid"}
FIGURES = 12  # of a price by which a wall is known again: one price at two scales is one float but for its last bit
NOT_GONE, WENT, PULLED, EATEN = range(4)
ENDS = np.array(["", "", "pulled", "eaten"])


class Side(NamedTuple):
    """What new rows show of one side, as arrays: levels best first, and the best prices."""

    prices: Floats
    sizes: Floats
    is_wall: Flags
    has_all: Flags
    is_shown: Flags
    best: Floats
    other: Floats


def side_of(side: str, frame: pl.DataFrame, made: pl.DataFrame) -> Side:
    """Return a side of a `book_frame` with walls; NaN for no best price."""
    prices, sizes, excess = (frame[f"{side}_{what}"].to_numpy() for what in ("prices", "sizes", "wall_excess"))
    is_shown = made[f"{side}_walls"].is_not_null().to_numpy()
    best, other = (
        made[f"best_{name}"].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in (side, OTHER[side])
    )
    has_all = frame[f"{side}_levels"].to_numpy() <= prices.shape[1]
    return Side(prices, sizes, (excess >= 0) & is_shown[:, None], has_all, is_shown, best, other)


def standing(shown: Side, at_rows: Ints, past: Walls, rows: Windows) -> Walls:
    """Return the walls of past last rows and of new rows, which are `at_rows` among all; each knows since when."""
    row, level = np.nonzero(shown.is_wall)
    found = Walls(
        at_rows[row], shown.prices[row, level], shown.sizes[row, level], shown.best[row], rows.at_ns[at_rows[row]]
    )
    walls = joined_walls([past, found])
    names = _named(walls.price)
    order = np.lexsort((walls.row, names))
    row, name = walls.row[order], names[order]
    stood = np.append(False, (name[1:] == name[:-1]) & (row[1:] == row[:-1] + 1) & ~rows.is_first[row[1:]])[: len(row)]
    begins = np.maximum.accumulate(np.where(stood, 0, np.arange(len(row))))
    since_ns = np.empty(len(row), np.int64)
    since_ns[order] = walls.since_ns[order][begins]
    return walls._replace(since_ns=since_ns)


def _named(price: Floats) -> Floats:
    """Return prices without their last bits."""
    scale = 10.0 ** (FIGURES - 1 - np.floor(np.log10(np.maximum(np.abs(price), 1e-300))))
    return np.rint(price * scale) / scale


def told(side: str, shown: Side, walls: Walls, is_new: Flags, rows: Windows) -> list[pl.Series]:
    """Return the columns of what became of walls, a value for each new row."""
    number = np.cumsum(is_new) - 1  # of each row among the new ones
    is_there = is_new[walls.row]
    here = number[walls.row[is_there]]
    nearest, oldest = np.full((2, int(is_new.sum())), np.nan)
    age_ms = (rows.at_ns[walls.row] - walls.since_ns)[is_there] / NS_PER_MS
    np.fmax.at(oldest, here, age_ms)
    nearest[here[::-1]] = age_ms[::-1]  # the first of a row is written last
    return [
        pl.Series(f"{side}_wall_age_ms", nearest, nan_to_null=True),
        pl.Series(f"{side}_oldest_wall_age_ms", oldest, nan_to_null=True),
        *_gone(side, shown, walls, is_new, rows),
    ]


def _gone(side: str, shown: Side, walls: Walls, is_new: Flags, rows: Windows) -> list[pl.Series]:
    """Return what the walls of the row before have lost since, the nearest and all of them."""
    after = walls.row + 1
    follows = (after < len(is_new)) & is_new.take(after, mode="clip") & ~rows.is_first.take(after, mode="clip")
    at = (np.cumsum(is_new) - 1)[after[follows]]
    lost, end = _ended(SIGN[side], shown, at, walls.taken(follows))
    nearest, pulled, eaten = np.full((3, len(shown.best)), np.nan)
    ends = np.zeros(len(shown.best), np.int64)
    nearest[at[::-1]] = np.where(end == NOT_GONE, np.nan, lost)[::-1]
    ends[at[::-1]] = end[::-1]
    for sums, kind in ((pulled, PULLED), (eaten, EATEN)):
        sums[at[shown.is_shown[at]]] = 0
        np.add.at(sums, at, np.where(end == kind, lost, 0))
    kinds = pl.Series(f"{side}_wall_end", ENDS[ends])
    return [
        pl.Series(f"{side}_wall_gone", nearest, nan_to_null=True),
        kinds.set(kinds == "", None),
        pl.Series(f"{side}_walls_pulled", pulled, nan_to_null=True),
        pl.Series(f"{side}_walls_eaten", eaten, nan_to_null=True),
    ]


def _ended(sign: int, shown: Side, at: Ints, wall: Walls) -> tuple[Floats, Ints]:
    """
    Return what each wall has lost in the new row `at`, and how it went, as far as a book can tell.

    Trades take the best price first. What goes behind a better price that stood before and after was pulled; where the
    other side has come to the wall's price it was eaten.
    """
    prices, sizes, best, other = (values[at] for values in (shown.prices, shown.sizes, shown.best, shown.other))
    is_level = is_same(wall.price[:, None], prices) & (sizes > 0)
    left = np.where(is_level, sizes, 0).sum(axis=1)
    is_wall = (is_level & shown.is_wall[at]).any(axis=1)
    is_in_view = shown.has_all[at] | (sign * (wall.price - prices[:, -1]) >= 0)
    went = shown.is_shown[at] & is_in_view & ~is_wall & (left < wall.size)
    is_behind = (sign * (wall.best - wall.price) > 0) & (sign * (best - wall.price) > 0)
    is_reached = (sign * (other - wall.price) <= 0) | is_same(wall.price, other)
    is_pulled = is_behind & ~is_same(wall.price, best)
    return wall.size - left, np.select([went & is_reached, went & is_pulled, went], [EATEN, PULLED, WENT], NOT_GONE)
