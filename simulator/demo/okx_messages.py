"""OKX's messages written out: no zeros behind the last digit, everything text but the sequence numbers."""

from collections.abc import Iterable

import msgspec

from common.clock import NS_PER_MS
from simulator.demo.bars import Bar
from simulator.demo.order_book import Fill, Instrument
from simulator.faults import Clock
from simulator.ledger import SCALE, Fact, plain
from simulator.venues.okx_listener import ChannelFrame, path_of

Levels = Iterable[tuple[int, int]]
NO_CHECKSUM = 0  # as the venue has told since June 2026
FIRST = -1
SOURCE = "0"


def eight(number_e8: int) -> str:
    """Return a number times 10^8 as the venue writes it."""
    return plain(number_e8, SCALE)


class Writer:
    """Writes the messages and the rows of one instrument."""

    def __init__(self, instrument: Instrument, clock: Clock) -> None:
        self._instrument = instrument
        self._symbol = instrument.symbol
        self._clock = clock

    def now_ms(self) -> int:
        """Return the venue's time."""
        return self._clock() // NS_PER_MS

    def price(self, ticks: int) -> str:
        """Return a price."""
        return eight(ticks * self._instrument.tick_e8)

    def size(self, lots: int) -> str:
        """Return a size."""
        return eight(lots * self._instrument.lot_e8)

    def _levels(self, levels: Levels) -> str:
        rows = (f'["{self.price(ticks)}","{self.size(lots)}","0","{_orders(lots)}"]' for ticks, lots in levels)
        return f"[{','.join(rows)}]"

    def _sides(self, sides: tuple[Levels, Levels]) -> str:
        return f'"asks":{self._levels(sides[1])},"bids":{self._levels(sides[0])}'

    def push(self, channel: str, row: str, *, action: str = "", fact: Fact | None = None) -> ChannelFrame:
        """Return a message of a channel with one row."""
        arg = f'{{"arg":{{"channel":"{channel}","instId":"{self._symbol}"}},'
        verb = f'"action":"{action}",' if action else ""
        text = f'{arg}{verb}"data":[{row}]}}'
        return ChannelFrame(path_of(channel), channel, self._symbol, text.encode(), fact or Fact(self._symbol, channel))

    def book(self, ids: tuple[int, int], sides: tuple[Levels, Levels]) -> ChannelFrame:
        """Return a snapshot of `books` (prevSeqId -1) or an update."""
        numbers = f'"checksum":{NO_CHECKSUM},"prevSeqId":{ids[0]},"seqId":{ids[1]}'
        row = f'{{{self._sides(sides)},"ts":"{self.now_ms()}",{numbers}}}'
        return self.push("books", row, action="snapshot" if ids[0] == FIRST else "update")

    def top(self, channel: str, number: int, time_ms: int, sides: tuple[Levels, Levels]) -> ChannelFrame:
        """Return a message of `bbo-tbt` or `books5`."""
        name = f'"instId":"{self._symbol}",' if channel == "books5" else ""
        return self.push(channel, f'{{{self._sides(sides)},{name}"ts":"{time_ms}","seqId":{number}}}')

    def trade(self, channel: str, ids: tuple[int, int], time_ms: int, fill: Fill, number: int) -> ChannelFrame:
        """Return a message of `trades`, which sums up the matches from the first to the last id, or of `trades-all`."""
        count = f'"count":"{ids[1] - ids[0] + 1}",' if channel == "trades" else ""
        fields = f'{count}"source":"{SOURCE}","seqId":{number}'
        row = f'{{{self._trade_fields(ids[1], fill)},"ts":"{time_ms}",{fields}}}'
        return self.push(channel, row, fact=self.fact(channel, ids, fill))

    def rest_trade(self, trade_id: int, time_ms: int, fill: Fill) -> bytes:
        """Return a row of `history-trades`."""
        return f'{{{self._trade_fields(trade_id, fill)},"source":"{SOURCE}","ts":"{time_ms}"}}'.encode()

    def _trade_fields(self, trade_id: int, fill: Fill) -> str:
        side = "buy" if fill.taker_buys else "sell"
        names = f'"instId":"{self._symbol}","tradeId":"{trade_id}"'
        return f'{names},"px":"{self.price(fill.ticks)}","sz":"{self.size(fill.lots)}","side":"{side}"'

    def fact(self, channel: str, ids: tuple[int, int], fill: Fill) -> Fact:
        """Return a trade for the ledger."""
        tick_e8, lot_e8 = self._instrument.tick_e8, self._instrument.lot_e8
        return Fact(self._symbol, channel, *ids, fill.ticks * tick_e8, fill.lots * lot_e8, fill.taker_buys)

    def ticker(self, day: Bar, last: Fill, bid: tuple[int, int], ask: tuple[int, int]) -> str:
        """Return a row of `tickers`."""
        kind = "SPOT" if self._symbol.count("-") == 1 else "SWAP"
        told = {
            "instType": kind,
            "instId": self._symbol,
            "last": self.price(last.ticks),
            "lastSz": self.size(last.lots),
            "askPx": self.price(ask[0]),
            "askSz": self.size(ask[1]),
            "bidPx": self.price(bid[0]),
            "bidSz": self.size(bid[1]),
            "open24h": eight(day.open),
            "high24h": eight(day.high),
            "low24h": eight(day.low),
            "sodUtc0": eight(day.open),
            "sodUtc8": eight(day.open),
            "volCcy24h": eight(day.quote),
            "vol24h": eight(day.volume),
            "ts": str(self.now_ms()),
        }
        return msgspec.json.encode(told).decode()

    def candle(self, bar: Bar, *, is_closed: bool) -> str:
        """Return a row of a candle channel and endpoint."""
        prices = ",".join(f'"{eight(price)}"' for price in (bar.open, bar.high, bar.low, bar.close))
        volumes = ",".join(f'"{eight(amount)}"' for amount in (bar.volume, bar.quote, bar.quote))
        return f'["{bar.open_ms}",{prices},{volumes},"{int(is_closed)}"]'

    def rest_book(self, sides: tuple[Levels, Levels], number: int | None) -> bytes:
        """Return a row of `books`, or of `books-full`, which has neither the third column nor a number."""
        if number is not None:
            return f'{{{self._sides(sides)},"ts":"{self.now_ms()}","seqId":{number}}}'.encode()
        asks, bids = (
            ",".join(f'["{self.price(ticks)}","{self.size(lots)}","{_orders(lots)}"]' for ticks, lots in side)
            for side in (sides[1], sides[0])
        )
        return f'{{"asks":[{asks}],"bids":[{bids}],"ts":"{self.now_ms()}"}}'.encode()


def _orders(lots: int) -> int:
    """Return how many orders make up a level: none in one that is gone."""
    return lots and 1 + lots % 9
