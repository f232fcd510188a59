"""The last rows of a book, as far as later ones ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import polars as pl

from common.book_shapes import Floats, Ints
from processors.transforms.book_window import Flags, Windows, newest

SIDES = ("bid", "ask")
DEPTH_LEVELS = 5
SIDE_FIELDS = ("removed", "depth")
FIELDS = ("broken", "spread", *(f"{side}_{name}" for side in SIDES for name in SIDE_FIELDS))


class Walls(NamedTuple):
    """Walls of one side, the nearest of each row first: where, how large, the best price then, since when."""

    row: Ints
    price: Floats
    size: Floats
    best: Floats
    since_ns: Ints

    def taken(self, places: Ints | Flags) -> "Walls":
        """Return some of them."""
        price, size, best = self.price[places], self.size[places], self.best[places]
        return Walls(self.row[places], price, size, best, self.since_ns[places])


def joined_walls(parts: Sequence[Walls]) -> Walls:
    """Return all of several."""
    return Walls(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.price for part in parts]),
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.best for part in parts]),
        np.concatenate([part.since_ns for part in parts]),
    )


def no_walls() -> Walls:
    """Return none."""
    nowhere, nothing = np.zeros(0, np.int64), np.zeros(0)
    return Walls(nowhere, nothing, nothing, nothing, nowhere)


@dataclass
class Past:
    """The rows of one book in the last window and the one before it, and the walls of the last row."""

    at_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    seen: Floats = field(default_factory=lambda: np.zeros((len(FIELDS), 0)))
    walls: dict[str, Walls] = field(default_factory=lambda: {side: no_walls() for side in SIDES})

    @property
    def rows(self) -> int:
        """Return how many rows there are."""
        return len(self.at_ns)


def seen_of(frame: pl.DataFrame, made: pl.DataFrame) -> Floats:
    """Return what new rows show; NaN where the book does not answer."""
    columns = {"broken": frame["flow_broken"], "spread": made["spread"]}
    for side in SIDES:
        answers = (frame[f"{side}_known"] >= DEPTH_LEVELS) | (frame[f"{side}_is_whole"] & (frame[f"{side}_known"] > 0))
        columns |= {
            f"{side}_removed": frame[f"{side}_removed_flow"],
            f"{side}_depth": frame[f"{side}_sums"].arr.get(DEPTH_LEVELS - 1).set(~answers, None),
        }
    return np.stack([columns[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in FIELDS])


def woven(pasts: list[Past], lengths: list[int], at_ns: Ints, seen: Floats) -> tuple[Flags, Ints, Floats]:
    """Return each book's past and its new rows behind, and which of them are new."""
    counts = np.stack([[past.rows for past in pasts], lengths], axis=1).ravel()
    is_new = np.repeat(np.tile([False, True], len(pasts)), counts)
    all_at_ns, all_seen = np.empty(len(is_new), np.int64), np.empty((len(seen), len(is_new)))
    all_at_ns[~is_new] = np.concatenate([past.at_ns for past in pasts])
    all_seen[:, ~is_new] = np.concatenate([past.seen for past in pasts], axis=1)
    all_at_ns[is_new], all_seen[:, is_new] = at_ns, seen
    return is_new, all_at_ns, all_seen


def walls_before(side: str, pasts: list[Past], lasts: Ints) -> Walls:
    """Return the walls of every book's last past row, which is one of `lasts` among all rows."""
    found = [
        past.walls[side]._replace(row=np.full(len(past.walls[side].row), last))
        for past, last in zip(pasts, lasts, strict=True)
    ]
    return joined_walls(found)


def remember_walls(side: str, pasts: list[Past], lasts: Ints, walls: Walls) -> None:
    """Keep the walls of every book's last row, which is one of `lasts` among all rows."""
    order = np.argsort(walls.row, kind="stable")
    rows = walls.row[order]
    starts, stops = np.searchsorted(rows, lasts, "left").tolist(), np.searchsorted(rows, lasts, "right").tolist()
    for past, start, stop in zip(pasts, starts, stops, strict=True):
        past.walls[side] = walls.taken(order[start:stop])


def remember(pasts: list[Past], totals: Ints, rows: Windows, seen: Floats) -> None:
    """Keep what later rows ask for: from the row before the last window on, or from the last gap."""
    last_gap = newest(rows.is_first)
    for past, stop in zip(pasts, np.cumsum(totals).tolist(), strict=True):
        first = max(int(rows.starts[stop - 1]) - 1, int(last_gap[stop - 1]))
        past.at_ns, past.seen = rows.at_ns[first:stop].copy(), seen[:, first:stop].copy()
