"""An invented order book: random orders on both sides of a wandering price, numbered as a venue numbers them."""

import random
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

BID, ASK = 0, 1
FIRST_LEVELS = 1500
FIRST_REACH = 0.3
# What happens next, as steps on the way from 0 to 1; the rest are ordinary quotes.
TAKEN, FLICKERING, FAR = 0.12, 0.16, 0.19
FAR_SHARE = 0.4
CANCELLED = 0.5


@dataclass(frozen=True)
class Instrument:
    """What is traded; prices are counted in ticks, sizes in lots, both times 10^8."""

    symbol: str
    base: str
    quote: str
    start_ticks: int
    tick_e8: int
    lot_e8: int
    usual_lots: int
    events_per_s: float


class Fill(NamedTuple):
    """What one resting order gave to a taker."""

    ticks: int
    lots: int
    taker_buys: bool


@dataclass
class Side:
    """One side's levels: prices sorted from low to high, and the size at each."""

    prices: list[int] = field(default_factory=list)
    lots: dict[int, int] = field(default_factory=dict)

    def put(self, ticks: int, lots: int) -> None:
        """Set a level; 0 lots remove it."""
        if lots == 0:
            if self.lots.pop(ticks, None) is not None:
                del self.prices[bisect_left(self.prices, ticks)]
        else:
            if ticks not in self.lots:
                insort(self.prices, ticks)
            self.lots[ticks] = lots


class InventedBook:
    """A book that lives by itself: every change of a level has an update id of its own."""

    def __init__(
        self,
        instrument: Instrument,
        chance: random.Random,
        changed: Callable[[int, int, int], None],
        levels: int = FIRST_LEVELS,
    ) -> None:
        self.instrument = instrument
        self.update_id = chance.randrange(10**9, 9 * 10**10)
        self.sides = (Side(), Side())
        self._chance = chance
        self._changed = changed
        self._fair = float(instrument.start_ticks)
        self._usual_levels = min(levels, instrument.start_ticks // 10)
        for side in (BID, ASK):
            while len(self.sides[side].prices) < self._usual_levels:
                distance = int(chance.random() ** 3 * FIRST_REACH * instrument.start_ticks)
                self.sides[side].put(self._price_away(side, distance), self._size())

    def best(self, side: int) -> int:
        """Return the best price of a side, in ticks."""
        prices = self.sides[side].prices
        return prices[-1] if side == BID else prices[0]

    def top(self, side: int, levels: int) -> list[tuple[int, int]]:
        """Return (price, size) of the best levels, best first."""
        prices, lots = self.sides[side].prices, self.sides[side].lots
        nearest = prices[: -levels - 1 : -1] if side == BID else prices[:levels]
        return [(ticks, lots[ticks]) for ticks in nearest]

    def act(self) -> list[Fill]:
        """Let one thing happen, and return what was traded by it."""
        self._fair *= 1 + self._chance.gauss(0, 2e-5)
        draw = self._chance.random()
        if draw < TAKEN:
            return self._take()
        if draw < FLICKERING:
            self._flicker()
        elif draw < FAR:
            self._move_far_level()
        else:
            self._quote()
        return []

    def _set(self, side: int, ticks: int, lots: int) -> None:
        self.update_id += 1
        self.sides[side].put(ticks, lots)
        self._changed(side, ticks, lots)

    def _take(self) -> list[Fill]:
        mid = (self.best(BID) + self.best(ASK)) / 2
        lean = max(-0.4, min(0.4, (self._fair - mid) / (2e-4 * mid)))
        buys = self._chance.random() < 0.5 + lean
        side = ASK if buys else BID
        wanted = self._size()
        fills: list[Fill] = []
        while wanted > 0 and len(self.sides[side].prices) > 1:
            ticks = self.best(side)
            resting = self.sides[side].lots[ticks]
            # Several resting orders make up a level: each is a trade of its own.
            order = max(1, min(wanted, round(resting * self._chance.uniform(0.3, 1.0))))
            fills.append(Fill(ticks, order, buys))
            self._set(side, ticks, resting - order)
            wanted -= order
        return fills

    def _quote(self) -> None:
        side = self._chance.choice((BID, ASK))
        levels = self.sides[side]
        if len(levels.prices) > 2 * self._usual_levels:
            self._set(side, self._chance.choice(levels.prices), 0)
            return
        ticks = self._price_away(side, self._distance())
        is_cancelled = (
            ticks in levels.lots and len(levels.prices) > self._usual_levels and self._chance.random() < CANCELLED
        )
        self._set(side, ticks, 0 if is_cancelled else self._size())

    def _flicker(self) -> None:
        # Placed and cancelled between two messages: followers hear of the end of a level they never saw.
        side = self._chance.choice((BID, ASK))
        ticks = self._price_away(side, self._chance.randrange(20, 4000))
        if ticks not in self.sides[side].lots:
            self._set(side, ticks, self._size())
            self._set(side, ticks, 0)

    def _move_far_level(self) -> None:
        side = self._chance.choice((BID, ASK))
        self._set(side, self._price_away(side, int(self._fair * self._chance.uniform(0.05, FAR_SHARE))), self._size())

    def _price_away(self, side: int, distance: int) -> int:
        fair = round(self._fair)
        if side == BID:
            ceiling = self.best(ASK) - 1 if self.sides[ASK].prices else fair
            return max(1, min(fair - distance, ceiling))
        floor = self.best(BID) + 1 if self.sides[BID].prices else fair + 1
        return max(fair + 1 + distance, floor)

    def _distance(self) -> int:
        return int(self._chance.expovariate(1) ** 3 * 12)

    def _size(self) -> int:
        return max(1, round(self.instrument.usual_lots * self._chance.lognormvariate(-0.5, 1.1)))
