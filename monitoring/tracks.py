"""Rings of evenly spaced values, one a name: what the last hours looked like, small enough to keep in memory."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HOLE = float("nan")


@dataclass
class Step:
    """What was seen in one step of time: of each figure the sum, the largest, and how often."""

    sums: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, values: Mapping[str, float]) -> None:
        """Take the figures of one look."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.peaks[name] = max(self.peaks.get(name, value), value)
            self.counts[name] = self.counts.get(name, 0) + 1

    def value(self, name: str, peaking: frozenset[str]) -> float:
        """Return a figure's mean, or its largest value where the kind of figure is one that a mean would flatter."""
        if name not in self.counts:
            return HOLE
        return self.peaks[name] if kind_of(name) in peaking else self.sums[name] / self.counts[name]


class Ended(NamedTuple):
    """When a step that is over began, and its values by name."""

    start_s: float
    values: Mapping[str, float]


def kind_of(name: str) -> str:
    """Return what a name is a figure of: `lag_s` of `lag_s|trade_processor|order_events`."""
    return name.partition("|")[0]


class Track:
    """The last `kept` steps of `step_s` seconds; a step without a look is a hole."""

    def __init__(self, step_s: float, kept: int, peaking: Iterable[str] = ()) -> None:
        self.step_s = step_s
        self.kept = kept
        self._peaking = frozenset(peaking)
        self._columns: dict[str, NDArray[np.float64]] = {}
        self._slot = -1
        self._open = Step()

    def add(self, at_s: float, values: Mapping[str, float]) -> Ended | None:
        """Take the figures of a look at a moment of a clock that never steps back; return the step that it ends."""
        slot, ended = int(at_s // self.step_s), None
        if slot != self._slot:
            ended = self._ended()
            self._turn(slot)
        self._open.add(values)
        for name in values:
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = np.full(self.kept, HOLE)
            column[slot % self.kept] = self._open.value(name, self._peaking)
        return ended

    def begin(self, at_s: float) -> None:
        """Begin at a moment, if nothing was seen before."""
        if self._slot < 0:
            self._turn(int(at_s // self.step_s))

    def fill(self, name: str, starts_s: NDArray[np.float64], values: NDArray[np.float64], lasting_s: float) -> None:
        """Put values of steps that were `lasting_s` long elsewhere where nothing is remembered, but not after now."""
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = np.full(self.kept, HOLE)
        first = (starts_s // self.step_s).astype(np.int64)
        for later in range(max(1, round(lasting_s / self.step_s))):
            slots = first + later
            is_ours = (slots > self._slot - self.kept) & (slots < self._slot)
            places, known = slots[is_ours] % self.kept, values[is_ours]
            is_hole = np.isnan(column[places])
            column[places[is_hole]] = known[is_hole]

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind of figure that are not forgotten yet."""
        return sorted(name for name in self._columns if kind_of(name) == kind)

    def read(self, name: str, steps: int) -> list[float | None]:
        """Return the newest values of a name, oldest first, None where it was not known."""
        column = self._columns.get(name)
        if column is None or self._slot < 0:
            return [None] * steps
        places = np.arange(self._slot - steps + 1, self._slot + 1) % self.kept
        return [None if math.isnan(value) else round(value, 3) for value in column[places].tolist()]

    def starts_s(self, steps: int) -> list[float]:
        """Return when each of the newest steps began, by the same clock, oldest first."""
        return [slot * self.step_s for slot in range(self._slot - steps + 1, self._slot + 1)]

    def _ended(self) -> Ended | None:
        values = {name: self._open.value(name, self._peaking) for name in self._open.counts}
        return Ended(self._slot * self.step_s, values) if values else None

    def _turn(self, slot: int) -> None:
        """Begin a new step: empty it and all that were slept through, and forget what has no value left."""
        first = max(self._slot + 1, slot - self.kept + 1)
        places = np.arange(first, slot + 1) % self.kept
        for column in self._columns.values():
            column[places] = HOLE
        self._columns = {name: column for name, column in self._columns.items() if not np.isnan(column).all()}
        self._slot, self._open = slot, Step()
