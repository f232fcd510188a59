"""Candles of an invented market, and the last day as one."""

from collections import deque
from dataclasses import dataclass

MINUTE_MS = 60_000
INTERVALS_MS = {"1s": 1000, "1m": MINUTE_MS, "5m": 5 * MINUTE_MS, "15m": 15 * MINUTE_MS, "1h": 60 * MINUTE_MS}
INTERVALS_MS |= {"4h": 240 * MINUTE_MS, "1d": 1440 * MINUTE_MS}
SCALE = 10**8
MOST_BARS = 1440


@dataclass
class Bar:
    """One candle; prices and sizes times 10^8."""

    open_ms: int
    close_ms: int
    open: int
    high: int
    low: int
    close: int
    first_id: int
    last_id: int = 0
    trades: int = 0
    volume: int = 0
    quote: int = 0
    taker_volume: int = 0
    taker_quote: int = 0

    def add(self, trade_id: int, price: int, size: int, *, taker_buys: bool) -> None:
        """Count one trade."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.last_id, self.trades = trade_id, self.trades + 1
        quote = price * size // SCALE
        self.volume, self.quote = self.volume + size, self.quote + quote
        if taker_buys:
            self.taker_volume, self.taker_quote = self.taker_volume + size, self.taker_quote + quote


class Bars:
    """All candles of one instrument, the newest last."""

    def __init__(self) -> None:
        self._bars: dict[str, deque[Bar]] = {name: deque(maxlen=MOST_BARS) for name in INTERVALS_MS}

    def add(self, time_ms: int, trade_id: int, price: int, size: int, *, taker_buys: bool) -> None:
        """Count one trade in every interval."""
        for name, length_ms in INTERVALS_MS.items():
            bars = self._bars[name]
            open_ms = time_ms - time_ms % length_ms
            if not bars or bars[-1].open_ms < open_ms:
                bars.append(Bar(open_ms, open_ms + length_ms - 1, price, price, price, price, trade_id))
            bars[-1].add(trade_id, price, size, taker_buys=taker_buys)

    def of(self, interval: str) -> list[Bar]:
        """Return the candles of an interval, oldest first; none for an unknown interval."""
        return list(self._bars.get(interval, ()))

    def day(self) -> Bar:
        """Return the last 24 hours as one candle."""
        minutes = self._bars["1m"]
        first, last = minutes[0], minutes[-1]
        return Bar(
            open_ms=first.open_ms,
            close_ms=last.close_ms,
            open=first.open,
            high=max(bar.high for bar in minutes),
            low=min(bar.low for bar in minutes),
            close=last.close,
            first_id=first.first_id,
            last_id=last.last_id,
            trades=sum(bar.trades for bar in minutes),
            volume=sum(bar.volume for bar in minutes),
            quote=sum(bar.quote for bar in minutes),
        )
