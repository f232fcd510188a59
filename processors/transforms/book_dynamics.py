"""Book statistics, what happened before an instant: depletion, walls that went and recovery, over the last 10 s."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from common.book_shapes import Floats, Ints
from common.clock import NS_PER_MS, NS_PER_S
from processors.transforms.book_window import (
    WINDOW_NS,
    Flags,
    Windows,
    before,
    is_large_fall,
    is_same,
    recovery,
    window_sums,
    windows,
)

SIDES = ("bid", "ask")
SIDE_FIELDS = ("removed", "depth", "wall_price", "wall_size")
FIELDS = ("broken", "spread", *(f"{side}_{name}" for side in SIDES for name in SIDE_FIELDS))
SINCE = ("bid_since", "ask_since")


@dataclass
class Past:
    """The last rows of a book: those of a window, and the one before it."""

    times: Ints = field(default_factory=lambda: np.zeros((len(SINCE) + 1, 0), np.int64))  # the instant, walls' sinces
    seen: Floats = field(default_factory=lambda: np.zeros((len(FIELDS), 0)))

    @property
    def rows(self) -> int:
        """Return how many there are."""
        return self.times.shape[1]


def dynamics(frame: pl.DataFrame, made: pl.DataFrame, pasts: list[Past], lengths: list[int]) -> pl.DataFrame:
    """
    Return statistics of what happened before each row, and let every book's past go on.

    Args:
        frame: as `book_frame` makes it; each book's rows together, in order of time.
        made: the fields of BookStat of the same rows.
        pasts: of each book, changed in place.
        lengths: how many of the rows are each book's.
    """
    old = [past.rows for past in pasts]
    is_new = np.repeat(np.tile([False, True], len(pasts)), np.stack([old, lengths], axis=1).ravel())
    times = _woven([past.times for past in pasts], _times(made), is_new)
    seen = _woven([past.seen for past in pasts], _seen(frame, made), is_new)
    values = dict(zip(FIELDS, seen, strict=True))
    totals = np.array(old) + np.array(lengths)
    rows = windows(times[0], totals, values["broken"] > 0)
    columns = _recoveries(values, rows)
    for place, side in enumerate(SIDES, start=1):
        times[place] = _since(values[f"{side}_wall_price"], times[place], is_new, rows)
        columns |= _queue(side, values, rows)
        columns[f"{side}_wall_age_ms"] = _age_ms(values[f"{side}_wall_price"], times[place], rows)
    told = {name: pl.Series(name, column[is_new], nan_to_null=True) for name, column in columns.items()}
    removed = {f"{side}_wall_price": values[f"{side}_wall_price"] for side in SIDES}
    for side in SIDES:
        price, size = (before(values[f"{side}_wall_{what}"], rows)[is_new] for what in ("price", "size"))
        told |= _gone(side, frame, (price, size), removed[f"{side}_wall_price"][is_new])
    _remember(pasts, times, seen, totals)
    return pl.DataFrame(told)


def _times(made: pl.DataFrame) -> Ints:
    at_ns = made["event_ns"].to_numpy()
    return np.stack([at_ns] * (len(SINCE) + 1))


def _seen(frame: pl.DataFrame, made: pl.DataFrame) -> Floats:
    from_frame = {"broken": frame["flow_broken"], "spread": made["spread"]}
    for side in SIDES:
        speaks = (frame[f"{side}_known"] >= 5) | frame[f"{side}_is_whole"]
        depth = frame[f"{side}_sums"].arr.get(4)
        from_frame |= {
            f"{side}_removed": frame[f"{side}_removed_flow"],
            f"{side}_depth": depth.zip_with(speaks, pl.Series([None], dtype=pl.Float64)),
            f"{side}_wall_price": made[f"{side}_wall_price"],
            f"{side}_wall_size": made[f"{side}_wall_size"],
        }
    return np.stack([from_frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in FIELDS])


def _woven[N: (np.int64, np.float64)](
    pasts: "list[np.ndarray[tuple[int, ...], np.dtype[N]]]", new: "np.ndarray", is_new: Flags
) -> "np.ndarray":
    whole = np.empty((len(new), len(is_new)), new.dtype)
    whole[:, ~is_new] = np.concatenate(pasts, axis=1)
    whole[:, is_new] = new
    return whole
