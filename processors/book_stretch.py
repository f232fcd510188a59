"""A batch of messages on its way through the books, and what these gave."""

import numpy as np

from common.book_engine import Engine
from common.book_shapes import Ints, Messages
from common.errors import ScaleOverflow
from processors.transforms.book_dumps import Dump
from processors.transforms.book_messages import FAULTS, Run, Told
from processors.transforms.book_rows import Reading
from processors.transforms.book_scales import rescale, unfitting


class Stretch:
    """The messages of a batch, and what the books gave on the way."""

    def __init__(self, batch: Told, scaled: Messages) -> None:
        self.batch = batch
        self.scaled = scaled
        self.unfit = unfitting(batch, scaled, (0, len(batch.places)))
        self.reasons: dict[int, str] = {}
        self.readings: list[Reading] = []
        self.dumps: list[Dump] = []

    def breaks(self, run: Run, heard_ns: int | None, forget_ns: int) -> list[int]:
        """Return the messages of a symbol that cannot be read, or come when it was silent for so long."""
        part = slice(run.first, run.stop)
        found = self.batch.faults[part] != 0
        clocks = self.batch.arrivals.clock_ns[part]
        first_ns = clocks[0] if heard_ns is None else heard_ns
        if clocks[-1] - first_ns > forget_ns:  # hardly ever
            before = np.concatenate([[first_ns], self.batch.arrivals.received_ns[part][:-1]])
            found = found | (clocks - np.maximum.accumulate(before) > forget_ns)
        return [run.first + number for number in np.flatnonzero(found).tolist()]

    def refuse(self, number: int) -> bool:
        """Set a message aside that cannot be read; return whether it is such a one."""
        fault = int(self.batch.faults[number])
        if fault:
            self.reasons[number] = FAULTS[fault]
        return bool(fault)

    def rescale(self, span: tuple[int, int], digits: tuple[int, int], engine: Engine) -> None:
        """Write some messages with other digits behind the point, and see which do not fit."""
        rescale(self.batch, self.scaled, span, digits, engine)
        self.unfit[slice(*span)] = unfitting(self.batch, self.scaled, span)

    def judge(self, number: int) -> None:
        """Raise ScaleOverflow when a message does not fit."""
        if self.unfit[number]:
            raise ScaleOverflow("prices and sizes", digits=int(self.batch.digits[:, number].max()))

    def levels(self, first: int, stop: int) -> tuple[int, int]:
        """Return how many levels a side these messages tell."""
        bids, asks = (int(side.starts[stop] - side.starts[first]) for side in self.batch.sides)
        return bids, asks

    def first_unfit(self, first: int, stop: int) -> int:
        """Return the first message from `first` on that does not fit as it is; `stop` if there is none."""
        return first_of(self.unfit, first, stop)

    def first_snapshot(self, first: int, stop: int) -> int:
        """Return the first snapshot from `first` on; `stop` if there is none: before it nothing is known."""
        return first_of(self.scaled.is_snapshot, first, stop)


def first_of(flags: Ints, first: int, stop: int) -> int:
    """Return the first place from `first` on that is flagged; `stop` if there is none."""
    found = np.flatnonzero(flags[first:stop])
    return first + int(found[0]) if len(found) else stop
