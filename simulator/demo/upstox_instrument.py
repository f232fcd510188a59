"""One invented instrument of Upstox: a price that wanders, a book of five levels, candles of a minute."""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.venues.upstox_wire import entry, inner, real, text, whole

FEEDS = 2
MINUTE_MS = 60_000
DAY_MS = 1440 * MINUTE_MS
IST_MS = 19_800_000
LEVELS = 5
PAISE = 100
MODES = {"ltpc": 0, "full": 1, "option_greeks": 2}
MOST_MINUTES = 1440


class Listing(NamedTuple):
    """What is listed; prices in paise."""

    key: str
    start: int
    step: int
    lot: int
    per_s: float

    @property
    def is_index(self) -> bool:
        """Return whether it has a price and nothing else."""
        return "_INDEX|" in self.key

    @property
    def is_option(self) -> bool:
        """Return whether it has greeks and open interest."""
        return "_FO|" in self.key


@dataclass
class Minute:
    """A candle; prices in paise."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0

    def add(self, price: int, size: int) -> None:
        """Count a trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.volume += size

    def written(self, name: str, *, is_index: bool) -> bytes:
        """Return it as the feed writes it."""
        prices = (self.open, self.high, self.low, self.close)
        numbers = b"".join(real(number, price / PAISE) for number, price in enumerate(prices, start=2))
        return inner(1, text(1, name) + numbers + whole(6, 0 if is_index else self.volume) + whole(7, self.start_ms))


@dataclass
class Instrument:
    """One listing while it is traded."""

    listing: Listing
    chance: random.Random
    price: int = 0
    volume: int = 0
    turnover: int = 0
    last_size: int = 0
    traded_ms: int = 0
    open_interest: int = 0
    minutes: deque[Minute] = field(default_factory=lambda: deque(maxlen=MOST_MINUTES))
    levels: list[tuple[int, int, int, int]] = field(default_factory=list)

    def remember(self, now_ms: int, minutes: int) -> None:
        """Have been traded for some minutes."""
        self.price = self.listing.start
        self.open_interest = self.listing.lot * self.chance.randrange(5_000, 20_000)
        first_ms = now_ms - now_ms % MINUTE_MS - minutes * MINUTE_MS
        for minute in range(minutes):
            for second in (7, 31, 52):
                self.trade(first_ms + minute * MINUTE_MS + second * 1000)
        self.quote()

    def trade(self, now_ms: int) -> None:
        """Let somebody trade, and the price move a little."""
        listing = self.listing
        self.price = max(20 * listing.step, self.price + listing.step * round(self.chance.gauss(0, 2)))
        self.last_size = 0 if listing.is_index else listing.lot * max(1, round(self.chance.lognormvariate(1, 1)))
        if _day(now_ms) > _day(self.traded_ms):
            self.volume = self.turnover = 0
        self.volume += self.last_size
        self.turnover += self.last_size * self.price
        self.traded_ms = now_ms
        start_ms = now_ms - now_ms % MINUTE_MS
        if not self.minutes or self.minutes[-1].start_ms < start_ms:
            self.minutes.append(Minute(start_ms, self.price, self.price, self.price, self.price))
        self.minutes[-1].add(self.price, self.last_size)

    def quote(self) -> None:
        """Let the book be another one around the price."""
        step, lot, chance = self.listing.step, self.listing.lot, self.chance
        self.levels = [
            (self.price - step * level, lot * chance.randrange(1, 60), self.price + step * (level + 1), lot * size)
            for level, size in enumerate(chance.choices(range(1, 60), k=LEVELS))
        ]

    def written(self, mode: str, now_ms: int) -> bytes:
        """Return the whole state in a mode, as an entry of a frame."""
        if mode == "ltpc":
            feed = inner(1, self._ltpc())
        elif mode == "full":
            feed = inner(2, inner(2, self._index(now_ms)) if self.listing.is_index else inner(1, self._market(now_ms)))
        elif self.listing.is_index:
            feed = inner(1, self._ltpc())
        else:
            first = inner(1, self._ltpc()) + inner(2, self._level(0)) + inner(3, self._greeks())
            feed = inner(3, first + whole(4, self.volume) + self._interest(5, 6))
        return entry(FEEDS, self.listing.key, feed + whole(4, MODES[mode]))

    def _ltpc(self) -> bytes:
        closed = real(4, self.listing.start / PAISE)
        return real(1, self.price / PAISE) + whole(2, self.traded_ms) + whole(3, self.last_size) + closed

    def _index(self, now_ms: int) -> bytes:
        return inner(1, self._ltpc()) + inner(2, self._candles(now_ms))

    def _market(self, now_ms: int) -> bytes:
        bids, asks = (sum(level[side] for level in self.levels) * 40 for side in (1, 3))
        average = round(self.turnover / self.volume) / PAISE if self.volume else 0.0
        return b"".join(
            (
                inner(1, self._ltpc()),
                inner(2, b"".join(inner(1, self._level(level)) for level in range(LEVELS))),
                inner(3, self._greeks()),
                inner(4, self._candles(now_ms)),
                real(5, average),
                whole(6, self.volume),
                self._interest(7, 8),
                real(9, float(bids)),
                real(10, float(asks)),
            )
        )

    def _level(self, level: int) -> bytes:
        bid, bid_size, ask, ask_size = self.levels[level]
        return whole(1, bid_size) + real(2, bid / PAISE) + whole(3, ask_size) + real(4, ask / PAISE)

    def _greeks(self) -> bytes:
        if not self.listing.is_option:
            return b""
        delta = round(0.5 + (self.price - self.listing.start) / self.listing.start / 4, 4)
        return real(1, delta) + real(2, -9.4125) + real(3, 0.0006) + real(4, 19.3795) + real(5, 1.3444)

    def _interest(self, interest: int, volatility: int) -> bytes:
        return real(interest, float(self.open_interest)) + real(volatility, 0.1387786865234375) * self.listing.is_option

    def _candles(self, now_ms: int) -> bytes:
        is_index = self.listing.is_index
        day = Minute(_day(now_ms) * DAY_MS - IST_MS, *self._extremes(), self.price, self.volume)
        start_ms = now_ms - now_ms % MINUTE_MS
        whole_ones = [minute for minute in list(self.minutes)[-2:] if minute.start_ms < start_ms]
        last = whole_ones[-1].written("I1", is_index=is_index) if whole_ones else b""
        return day.written("1d", is_index=is_index) + last

    def _extremes(self) -> tuple[int, int, int]:
        first = self.minutes[0].open
        return first, max(minute.high for minute in self.minutes), min(minute.low for minute in self.minutes)


def _day(time_ms: int) -> int:
    return (time_ms + IST_MS) // DAY_MS
