"""An order book: exact prices and sizes as scaled integers in sorted arrays, and the clock of its instants."""

from dataclasses import dataclass, field

import numpy as np

from common.book_shapes import (
    BIDS,
    CLOCK_FIELDS,
    IS_OURS,
    KEY,
    LARGEST,
    LAST_RECEIVED,
    LATE,
    NOWHERE,
    SIZE,
    UPDATES,
    Ints,
    Store,
    Timing,
    no_book,
)
from common.errors import ScaleOverflow

SPARE_LEVELS = 64


def no_clock() -> Ints:
    """Return the clock of a book that has heard nothing."""
    clock = np.full(CLOCK_FIELDS, NOWHERE)
    clock[UPDATES] = clock[LATE] = clock[LAST_RECEIVED] = clock[IS_OURS] = 0
    return clock


@dataclass
class Book:
    """
    One symbol's book.

    `price_digits` and `size_digits` are the digits behind the point that its integers hold; they grow when a finer
    number comes. A book that `is_known` has had a snapshot, and every message since.
    """

    venue: str
    symbol: str
    store: Store = field(default_factory=no_book)
    clock: Ints = field(default_factory=no_clock)
    price_digits: int = 0
    size_digits: int = 0
    is_known: bool = False
    sequence: int | None = None

    def lose(self) -> None:
        """Forget the levels: what comes next does not fit them. Only a snapshot makes the book known again."""
        self.store, self.clock, self.is_known, self.sequence = no_book(), no_clock(), False, None
        self.weigh(0, 0)

    def make_room(self, levels: tuple[int, int]) -> None:
        """Have room for so many more levels a side; give back what a burst has left over."""
        sides = []
        for side, count, more in zip(self.store[:2], self.store.counts.tolist(), levels, strict=True):
            needed = count + more
            if needed <= side.shape[1] <= 4 * needed + SPARE_LEVELS:
                sides.append(side)
                continue
            roomy = np.zeros((3, needed + needed // 4 + SPARE_LEVELS // 4), np.int64)
            roomy[:, :count] = side[:, :count]
            sides.append(roomy)
        self.store = self.store._replace(bids=sides[0], asks=sides[1])

    def can_refine(self, price_digits: int, size_digits: int) -> bool:
        """Return whether what is in the book fits so many digits behind the point, too."""
        return not self._misfit(price_digits, size_digits)

    def _misfit(self, price_digits: int, size_digits: int) -> str:
        sides = self._sides()
        for row, more, name in (
            (KEY, price_digits - self.price_digits, "prices"),
            (SIZE, size_digits - self.size_digits, "sizes"),
        ):
            largest = max((int(abs(side[row]).max()) for side in sides if side.shape[1]), default=0)
            if largest * 10 ** max(more, 0) > LARGEST:
                return name
        return ""

    def _sides(self) -> tuple[Ints, Ints]:
        bids, asks = self.store.counts.tolist()
        return self.store.bids[:, :bids], self.store.asks[:, :asks]

    def refine(self, price_digits: int, size_digits: int) -> None:
        """
        Hold at least so many digits behind the point.

        Raises:
            ScaleOverflow: a price or size in the book would not fit any more.
        """
        misfit = self._misfit(price_digits, size_digits)
        if misfit:
            raise ScaleOverflow(misfit, digits=price_digits if misfit == "prices" else size_digits)
        more_price, more_size = max(price_digits - self.price_digits, 0), max(size_digits - self.size_digits, 0)
        for side in self._sides():
            side[KEY] *= 10**more_price
            side[SIZE] *= 10**more_size
        floors = self.store.floors
        floors[floors != NOWHERE] *= 10**more_price
        self.weigh(self.price_digits + more_price, self.size_digits + more_size)

    def weigh(self, price_digits: int, size_digits: int) -> None:
        """Take note of what the integers stand for."""
        self.price_digits, self.size_digits = price_digits, size_digits
        self.store.units[:] = 10.0**price_digits, 10.0**size_digits

    def is_due(self, clock_ns: int, timing: Timing) -> bool:
        """Return whether an instant is over by the shard's time that would be told."""
        closed, last_event_ns, last_clock_ns, _, updates, *_ = self.clock.tolist()
        now_ns = last_event_ns + clock_ns - last_clock_ns - timing.grace_ns
        bound_ns = now_ns - now_ns % timing.every_ns
        if closed == NOWHERE or bound_ns <= closed:
            return False
        next_ns = closed - closed % timing.always_ns + timing.always_ns
        return bool(updates > 0 or next_ns <= min(bound_ns, last_event_ns + timing.stale_ns))

    @property
    def last_heard_ns(self) -> int | None:
        """Return when its newest message was received; None for an unknown book."""
        return int(self.clock[LAST_RECEIVED]) if self.is_known else None

    def is_gone(self, clock_ns: int, forget_ns: int) -> bool:
        """Return whether the book is unknown, or was silent for so long."""
        heard_ns = self.last_heard_ns
        return heard_ns is None or clock_ns - heard_ns > forget_ns

    def best_first(self, which: int) -> Ints:
        """Return the levels of a side: rows of prices, sizes and orders; prices and sizes scaled."""
        side = self.store.bids if which == BIDS else self.store.asks
        levels = side[:, : self.store.counts[which]][:, ::-1].copy()
        levels[KEY] = abs(levels[KEY])
        return levels

    def known_to(self) -> tuple[int, int]:
        """Return the lowest keys that are known; NOWHERE for a side that is known to its end."""
        bids, asks = self.store.floors.tolist()
        return bids, asks
