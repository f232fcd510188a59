"""One candle as it grows: its sums, exact, and how it is told."""

from decimal import Context, Decimal
from typing import Any

import msgspec
import polars as pl

from common.clock import NS_PER_S
from common.records import Candle
from processors.frames import schema_of
from processors.transforms.candle_parts import NAMES

EXACT = Context(prec=80)
PRICES = ("open", "high", "low", "close")
SUMS = ("volume", "notional", "buy_volume", "sell_volume")
FIELDS = (
    "received_ns",
    *PRICES,
    "first_ns",
    "first_offset",
    "last_ns",
    "last_offset",
    *SUMS,
    "trades",
)
Key = tuple[str, str, int, int]  # venue, symbol, seconds long, start


class Growing(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a candle; `first` and `last` are the places of its trades in the venue's time and the stream."""

    received_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    first_ns: int
    first_offset: int
    last_ns: int
    last_offset: int
    volume: Decimal
    notional: Decimal
    buy_volume: Decimal
    sell_volume: Decimal
    trades: int

    def with_part(self, part: "Growing") -> "Growing":
        """Return the candle with what further trades add; one without a trade has nothing to say."""
        if not self.trades:
            return part
        opens = min(self, part, key=lambda one: (one.first_ns, one.first_offset))
        closes = max(self, part, key=lambda one: (one.last_ns, one.last_offset))
        return Growing(
            max(self.received_ns, part.received_ns),
            opens.open,
            max(self.high, part.high),
            min(self.low, part.low),
            closes.close,
            opens.first_ns,
            opens.first_offset,
            closes.last_ns,
            closes.last_offset,
            EXACT.add(self.volume, part.volume),
            EXACT.add(self.notional, part.notional),
            EXACT.add(self.buy_volume, part.buy_volume),
            EXACT.add(self.sell_volume, part.sell_volume),
            self.trades + part.trades,
        )


def end_ns(key: Key) -> int:
    """Return when a candle is over."""
    return key[3] + key[2] * NS_PER_S


def told(key: Key, candle: Growing, at_ns: int) -> dict[str, Any]:
    """Return the fields of a Candle, as it stands at an instant."""
    venue, symbol, interval_s, open_ns = key
    prices = {name: _text(getattr(candle, name)) if candle.trades else None for name in PRICES}
    sums = {name: _text(getattr(candle, name)) for name in SUMS}
    return {
        "venue": venue,
        "symbol": symbol,
        "received_ns": candle.received_ns,
        "event_ns": at_ns,
        "interval": NAMES[interval_s],
        "open_ns": open_ns,
        **prices,
        **sums,
        "vwap": float(candle.notional) / float(candle.volume) if candle.volume else None,
        "trades": candle.trades,
        "is_closed": end_ns(key) <= at_ns,
    }


def candle_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return the fields of Candle, a row each."""
    return pl.DataFrame(rows, schema=schema_of(Candle))


def _text(value: Decimal) -> str:
    """Return a number as the venue would write it: no exponent, no zeros at the end."""
    return f"{value.normalize(EXACT):f}"
