"""The last rows of a book, as far as later ones ask for them."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from common.book_shapes import Floats, Ints
from processors.transforms.book_window import Flags, Windows, newest

SIDES = ("bid", "ask")
DEPTH_LEVELS = 5
SIDE_FIELDS = ("best", "removed", "depth", "wall_price", "wall_size")
FIELDS = ("broken", "spread", *(f"{side}_{name}" for side in SIDES for name in SIDE_FIELDS))
AT, SINCE = 0, {"bid": 1, "ask": 2}  # the instant, and since when the nearest wall of a side stands


@dataclass
class Past:
    """The rows of one book in the last window, and the one before it."""

    times: Ints = field(default_factory=lambda: np.zeros((3, 0), np.int64))
    seen: Floats = field(default_factory=lambda: np.zeros((len(FIELDS), 0)))

    @property
    def rows(self) -> int:
        """Return how many there are."""
        return len(self.times[AT])


def times_of(made: pl.DataFrame) -> Ints:
    """Return the times of new rows; since when a wall stands is found out later."""
    return np.stack([made["event_ns"].to_numpy()] * 3)


def seen_of(frame: pl.DataFrame, made: pl.DataFrame) -> Floats:
    """Return what new rows show; NaN where the book does not answer."""
    columns = {"broken": frame["flow_broken"], "spread": made["spread"]}
    for side in SIDES:
        answers = (frame[f"{side}_known"] >= DEPTH_LEVELS) | (frame[f"{side}_is_whole"] & (frame[f"{side}_known"] > 0))
        columns |= {
            f"{side}_best": made[f"best_{side}"].cast(pl.Float64),
            f"{side}_removed": frame[f"{side}_removed_flow"],
            f"{side}_depth": frame[f"{side}_sums"].arr.get(DEPTH_LEVELS - 1).set(~answers, None),
            f"{side}_wall_price": made[f"{side}_wall_price"],
            f"{side}_wall_size": made[f"{side}_wall_size"],
        }
    return np.stack([columns[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in FIELDS])


def woven(pasts: list[Past], lengths: list[int], times: Ints, seen: Floats) -> tuple[Flags, Ints, Floats]:
    """Return each book's past and its new rows behind, and which of them are new."""
    counts = np.stack([[past.rows for past in pasts], lengths], axis=1).ravel()
    is_new = np.repeat(np.tile([False, True], len(pasts)), counts)
    all_times, all_seen = np.empty((len(times), len(is_new)), np.int64), np.empty((len(seen), len(is_new)))
    all_times[:, ~is_new] = np.concatenate([past.times for past in pasts], axis=1)
    all_seen[:, ~is_new] = np.concatenate([past.seen for past in pasts], axis=1)
    all_times[:, is_new], all_seen[:, is_new] = times, seen
    return is_new, all_times, all_seen


def remember(pasts: list[Past], totals: Ints, rows: Windows, times: Ints, seen: Floats) -> None:
    """Keep what later rows ask for: from the row before the last window on, or from the last gap."""
    last_gap = newest(rows.is_first)
    for past, stop in zip(pasts, np.cumsum(totals).tolist(), strict=True):
        first = max(int(rows.starts[stop - 1]) - 1, int(last_gap[stop - 1]))
        past.times, past.seen = times[:, first:stop].copy(), seen[:, first:stop].copy()
