"""
What the rows of a book before an instant say of it: the queue at the best price, walls that went, and recovery.

Every sum is of one window's own rows, from its first to its last: the same rows give the same bits, in whatever batches
they came.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.book_shapes import Floats, Ints
from common.clock import NS_PER_S

WINDOW_NS = 10 * NS_PER_S
LARGE_FALL = 0.5  # of the size at 5 levels from one row to the next: a large removal; the spread doubles
RECOVERED = 0.5
SAME_PRICE = 1e-12  # one price at two scales is one float but for its last bit

Flags = npt.NDArray[np.bool_]


class Windows(NamedTuple):
    """Rows of books, each book's together in order of time; of every row, its window."""

    at_ns: Ints
    is_first: Flags  # of its book, or after a gap: nothing is known of what was before
    starts: Ints  # the first row of the window: those behind `at_ns - WINDOW_NS`
    is_whole: Flags  # all of the window is known


def windows(at_ns: Ints, lengths: Ints, is_broken: Flags) -> Windows:
    """Return the windows of rows of so many books, one behind the other, each `lengths` rows long."""
    is_first = is_broken.copy()
    is_first[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
    is_first[1:] |= at_ns[1:] <= at_ns[:-1]  # a venue's time may begin anew
    firsts = np.append(np.flatnonzero(is_first), len(at_ns)).tolist()
    starts = np.zeros(len(at_ns), np.int64)
    for first, stop in pairwise(firsts):
        part = at_ns[first:stop]
        starts[first:stop] = first + np.searchsorted(part, part - WINDOW_NS, "right")
    return Windows(at_ns, is_first, starts, newest(is_first) < starts)


def newest(happened: Flags) -> Ints:
    """Return the last row up to each at which something happened; -1 for none."""
    return np.maximum.accumulate(np.where(happened, np.arange(len(happened)), -1))


def before(values: Floats, rows: Windows) -> Floats:
    """Return the value of the row before each; NaN for the first."""
    return np.where(rows.is_first, np.nan, np.concatenate([[np.nan], values[:-1]]))


def window_sums(values: Floats, rows: Windows) -> Floats:
    """Return the sum of each window; NaN where a part of it is unknown."""
    if not len(values):
        return values
    ends = np.arange(1, len(values) + 1)
    # Each pair of places is a sum of its own; the sums in between go from an end back to a start, and are passed over.
    places = np.stack([rows.starts, ends], axis=1).ravel()
    sums = np.add.reduceat(np.concatenate([values, [0.0]]), places)[::2]
    return np.where(rows.is_whole, sums, np.nan)


class Recovery(NamedTuple):
    """How much of the newest large removal in the window has come back, and how long half of it took, in seconds."""

    share: Floats
    half_life_s: Floats


def recovery(values: Floats, is_removal: Flags, rows: Windows) -> Recovery:
    """
    Return the recovery of a measure from the newest removal in each window; NaN where there was none.

    Args:
        values: what falls and comes back.
        is_removal: the rows in which much went.
        rows: the windows.
    """
    removal = newest(is_removal & ~rows.is_first)
    is_told = (removal >= rows.starts) & (removal > newest(rows.is_first))
    at = np.maximum(removal, 0)
    gone = before(values, rows)[at] - values[at]
    share = np.where(is_told, (values - values[at]) / gone, np.nan)
    halves = np.flatnonzero(share >= RECOVERED)
    removals, places = np.unique(removal[halves], return_index=True)
    half = np.full(len(values), -1)
    half[removals] = halves[places]
    is_half = is_told & (half[at] >= 0) & (half[at] <= np.arange(len(values)))
    half_life_s = np.where(is_half, (rows.at_ns[half[at]] - rows.at_ns[at]) / NS_PER_S, np.nan)
    return Recovery(share, half_life_s)


def is_large_fall(values: Floats, rows: Windows) -> Flags:
    """Return the rows in which at least half of what the row before had is gone."""
    former = before(values, rows)
    return (former > 0) & (values <= former * LARGE_FALL)


def is_same(price: Floats, other: Floats) -> Flags:
    """Return whether prices are the same; one that is missing is like none."""
    return np.abs(price - other) <= SAME_PRICE * np.abs(price)
