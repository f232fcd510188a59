"""
Binance's candles: as they are told while they grow, and those that were missed, asked for again.

The mark of a symbol's bars is the opening, in ms, of the newest minute before which none is missing. So bars that come
while older ones are asked for bear no sequence, and a kill in the middle asks again for what has not come.
"""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_MS
from common.errors import BadAnswer
from common.records import Bar
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_pages import PAGE_ROWS, bars_of
from ingesters.venues.binance_rare import refused

KEY = "klines:"
INTERVAL = "1m"
INTERVAL_MS = 60_000
WEIGHT = 2
BAD_REQUEST = 400


class Bars:
    """The candles of all symbols. Those of other intervals than a minute are stored as they come."""

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._url = f"{settings.binance_rest_url}/api/v3/klines"
        self._longest_ms = int(settings.backfill_max_s * 1000)
        self._marks = resume.marks
        self._missing: dict[str, int | None] = {}  # until which opening bars are asked for; None: no longer

    def hear(self, payload: bytes, received_ns: int) -> Iterator[Step]:
        """Return a kline as a bar; each later version of it has the same opening time."""
        message = wire.KLINE.decode(payload).data
        candle, symbol = message.candle, message.symbol
        is_ours = candle.interval == INTERVAL
        if is_ours and symbol not in self._missing:
            yield from self._begin(symbol, _opening_ms(candle))
        yield Bar(
            venue=wire.VENUE,
            symbol=symbol,
            received_ns=received_ns,
            event_ns=wire.venue_ns(message.time),
            interval=candle.interval,
            open_ns=wire.venue_ns(candle.open_time),
            open=candle.open,
            high=candle.high,
            low=candle.low,
            close=candle.close,
            volume=candle.volume,
            quote_volume=candle.quote_volume,
            trades=candle.trades,
            is_closed=candle.is_closed,
            sequence=_opening_ms(candle) if is_ours and self._missing[symbol] is None else None,
        )

    def answer(self, frame: Frame, symbol: str) -> Iterator[Step]:
        """
        Return a page of missed candles.

        Raises:
            BadAnswer: it is none; the same is asked again.
        """
        try:
            if frame.status == BAD_REQUEST:
                self._missing[symbol] = None
                yield refused(frame, wire.REFUSAL.decode(frame.payload), channel="kline", symbol=symbol)
                return
            bars = bars_of(frame.payload, symbol, INTERVAL, frame.received_ns)
        except msgspec.MsgspecError as error:
            raise BadAnswer(wire.VENUE, reason=f"klines of {symbol}: {error}") from error
        for bar in bars:
            yield msgspec.structs.replace(bar, source="backfill", sequence=bar.open_ns // NS_PER_MS)
        until_ms = self._missing[symbol]
        if len(bars) == PAGE_ROWS and until_ms is not None:
            yield self._fetch(symbol, bars[-1].open_ns // NS_PER_MS + INTERVAL_MS, until_ms)
        else:
            self._missing[symbol] = None

    def _begin(self, symbol: str, opening_ms: int) -> Iterator[Step]:
        """Ask for the last bar before the connection and those since: it may have grown after it was told."""
        mark = self._marks.get(("bars", symbol))
        is_late = mark is not None and mark < opening_ms and self._longest_ms > 0
        self._missing[symbol] = opening_ms if is_late else None
        if is_late and mark is not None:
            yield self._fetch(symbol, max(mark, opening_ms - self._longest_ms), opening_ms)

    def _fetch(self, symbol: str, from_ms: int, until_ms: int) -> Fetch:
        asked = f"symbol={quote(symbol)}&interval={INTERVAL}&startTime={from_ms}&endTime={until_ms - 1}"
        return Fetch(
            key=f"{KEY}{symbol}",
            url=f"{self._url}?{asked}&limit={PAGE_ROWS}",
            weight=WEIGHT,
            accept=(BAD_REQUEST,),
        )


def _opening_ms(candle: wire.Candle) -> int:
    return wire.venue_ns(candle.open_time) // NS_PER_MS
