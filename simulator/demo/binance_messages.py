"""Binance's messages written out: the venue's field order and its eight decimals."""

from collections.abc import Iterable

from simulator.demo.bars import Bar
from simulator.demo.order_book import Fill, Instrument
from simulator.ledger import SCALE, Fact
from simulator.venues.binance_listener import StreamFrame

Levels = Iterable[tuple[int, int]]


def eight(number_e8: int) -> str:
    """Return a number times 10^8 as the venue writes it."""
    return f"{number_e8 // SCALE}.{number_e8 % SCALE:08d}"


def framed(stream: str, symbol: str, data: str, fact: Fact | None = None) -> StreamFrame:
    """Return a message for both kinds of connections."""
    bare = data.encode()
    combined = b'{"stream":"%s","data":%s}' % (stream.encode(), bare)
    return StreamFrame(stream, symbol, combined, bare, fact or Fact(symbol, stream.partition("@")[2]))


class Writer:
    """Writes the messages of one instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._symbol = instrument.symbol
        self._stream = instrument.symbol.lower()

    def price(self, ticks: int) -> str:
        """Return a price."""
        return eight(ticks * self._instrument.tick_e8)

    def size(self, lots: int) -> str:
        """Return a size."""
        return eight(lots * self._instrument.lot_e8)

    def levels(self, levels: Levels) -> str:
        """Return levels as a JSON array."""
        rows = (f'["{self.price(ticks)}","{self.size(lots)}"]' for ticks, lots in levels)
        return f"[{','.join(rows)}]"

    def fact(self, kind: str, first_id: int, fill: Fill) -> Fact:
        """Return a trade for the ledger."""
        tick_e8, lot_e8 = self._instrument.tick_e8, self._instrument.lot_e8
        return Fact(self._symbol, kind, first_id, first_id, fill.ticks * tick_e8, fill.lots * lot_e8, fill.taker_buys)

    def trade(self, trade_id: int, time_ms: int, fill: Fill) -> StreamFrame:
        """Return a `trade` message."""
        data = (
            f'{{"e":"trade","E":{time_ms},"s":"{self._symbol}","t":{trade_id},"p":"{self.price(fill.ticks)}",'
            f'"q":"{self.size(fill.lots)}","T":{time_ms},"m":{_flag(not fill.taker_buys)},"M":true}}'
        )
        return framed(f"{self._stream}@trade", self._symbol, data, self.fact("trade", trade_id, fill))

    def rest_trade(self, trade_id: int, time_ms: int, fill: Fill) -> bytes:
        """Return a row of `historicalTrades`."""
        quote = eight(fill.ticks * self._instrument.tick_e8 * fill.lots * self._instrument.lot_e8 // SCALE)
        return (
            f'{{"id":{trade_id},"price":"{self.price(fill.ticks)}","qty":"{self.size(fill.lots)}","quoteQty":"{quote}",'
            f'"time":{time_ms},"isBuyerMaker":{_flag(not fill.taker_buys)},"isBestMatch":true}}'
        ).encode()

    def rest_agg_trade(self, agg_id: int, ids: tuple[int, int], time_ms: int, fill: Fill) -> bytes:
        """Return a row of `aggTrades`."""
        return f"{{{self._agg_fields(agg_id, ids, time_ms, fill)}}}".encode()

    def agg_trade(self, agg_id: int, ids: tuple[int, int], time_ms: int, fill: Fill) -> StreamFrame:
        """Return an `aggTrade` message."""
        fields = self._agg_fields(agg_id, ids, time_ms, fill)
        data = f'{{"e":"aggTrade","E":{time_ms},"s":"{self._symbol}",{fields}}}'
        return framed(f"{self._stream}@aggTrade", self._symbol, data, self.fact("aggTrade", agg_id, fill))

    def _agg_fields(self, agg_id: int, ids: tuple[int, int], time_ms: int, fill: Fill) -> str:
        return (
            f'"a":{agg_id},"p":"{self.price(fill.ticks)}","q":"{self.size(fill.lots)}","f":{ids[0]},"l":{ids[1]},'
            f'"T":{time_ms},"m":{_flag(not fill.taker_buys)},"M":true'
        )

    def quote(self, ids: tuple[int, int], bid: tuple[int, int], ask: tuple[int, int]) -> StreamFrame:
        """Return a `bookTicker` message; it stands for all update ids since the one before it."""
        data = (
            f'{{"u":{ids[1]},"s":"{self._symbol}","b":"{self.price(bid[0])}","B":"{self.size(bid[1])}",'
            f'"a":"{self.price(ask[0])}","A":"{self.size(ask[1])}"}}'
        )
        return framed(f"{self._stream}@bookTicker", self._symbol, data, Fact(self._symbol, "bookTicker", *ids))

    def diff(self, stream: str, ids: tuple[int, int], time_ms: int, sides: tuple[Levels, Levels]) -> StreamFrame:
        """Return a `depthUpdate` message."""
        data = (
            f'{{"e":"depthUpdate","E":{time_ms},"s":"{self._symbol}","U":{ids[0]},"u":{ids[1]},'
            f'"b":{self.levels(sides[0])},"a":{self.levels(sides[1])}}}'
        )
        kind = "depthUpdate" if stream == "depth@100ms" else "depthUpdate1000"
        return framed(f"{self._stream}@{stream}", self._symbol, data, Fact(self._symbol, kind, *ids))

    def partial_depth(self, stream: str, update_id: int, sides: tuple[Levels, Levels]) -> StreamFrame:
        """Return a top-N message: no symbol, no time."""
        return framed(f"{self._stream}@{stream}", self._symbol, self.snapshot(update_id, sides))

    def snapshot(self, update_id: int, sides: tuple[Levels, Levels]) -> str:
        """Return the body of `depth`."""
        return f'{{"lastUpdateId":{update_id},"bids":{self.levels(sides[0])},"asks":{self.levels(sides[1])}}}'

    def kline(self, interval: str, time_ms: int, bar: Bar) -> StreamFrame:
        """Return a `kline` message."""
        data = (
            f'{{"e":"kline","E":{time_ms},"s":"{self._symbol}","k":{{"t":{bar.open_ms},"T":{bar.close_ms},'
            f'"s":"{self._symbol}","i":"{interval}","f":{bar.first_id},"L":{bar.last_id},"o":"{eight(bar.open)}",'
            f'"c":"{eight(bar.close)}","h":"{eight(bar.high)}","l":"{eight(bar.low)}","v":"{eight(bar.volume)}",'
            f'"n":{bar.trades},"x":{_flag(time_ms > bar.close_ms)},"q":"{eight(bar.quote)}",'
            f'"V":"{eight(bar.taker_volume)}","Q":"{eight(bar.taker_quote)}","B":"0"}}}}'
        )
        return framed(f"{self._stream}@kline_{interval}", self._symbol, data)

    def ticker(self, name: str, time_ms: int, day: Bar) -> StreamFrame:
        """Return a `ticker` or `miniTicker` message."""
        kind = "24hrTicker" if name == "ticker" else "24hrMiniTicker"
        change = f'"p":"{eight_signed(day.close - day.open)}",' if name == "ticker" else ""
        data = (
            f'{{"e":"{kind}","E":{time_ms},"s":"{self._symbol}",{change}"c":"{eight(day.close)}",'
            f'"o":"{eight(day.open)}","h":"{eight(day.high)}","l":"{eight(day.low)}","v":"{eight(day.volume)}",'
            f'"q":"{eight(day.quote)}","n":{day.trades}}}'
        )
        return framed(f"{self._stream}@{name}", self._symbol, data)


def eight_signed(number_e8: int) -> str:
    """Return a number that may be below zero as the venue writes it."""
    return f"{'-' if number_e8 < 0 else ''}{eight(abs(number_e8))}"


def _flag(value: bool) -> str:  # noqa: FBT001  (it turns one into JSON, nothing else)
    return "true" if value else "false"
