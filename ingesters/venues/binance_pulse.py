"""Which subscriptions of Binance have fallen silent while others speak, and the commands that wake them."""

from collections.abc import Hashable, Iterable, Iterator, Mapping

from ingesters.feed import Step, Wake
from ingesters.venues.binance_book import BookSequence
from ingesters.venues.binance_roster import Roster
from ingesters.venues.binance_trades import TradeSequence
from ingesters.venues.binance_wire import VENUE
from ingesters.venues.pulse import Place, Pulse

KEY = "pulse:"
TRADE, TICKER, KLINE, DEPTH, QUOTE = "trade", "ticker", "kline_1m", "depth@100ms", "bookTicker"
KINDS = {TICKER: "24hrTicker", KLINE: "kline"}
RARELY = 5  # times as long may trades be silent, and the candles that are made of them


class BinancePulse:
    """The state of all sequences, looked at now and then: that costs the frames themselves nothing."""

    def __init__(
        self,
        mute_s: float,
        trades: Mapping[str, TradeSequence],
        books: Mapping[str, BookSequence],
        rare: Mapping[Place, int],
    ) -> None:
        least_s = mute_s / 2  # before the loop calls a socket mute
        often = dict.fromkeys((DEPTH, QUOTE, TICKER), least_s)
        self._pulse = Pulse(VENUE, often | dict.fromkeys((TRADE, KLINE), RARELY * least_s))
        self._trades, self._books, self._rare = trades, books, rare

    @property
    def wake(self) -> Wake:
        """Return the alarm for the next look."""
        return Wake(KEY, self._pulse.every_s)

    def look(self, symbols: Iterable[str], roster: Roster, now_ns: int) -> Iterator[Step]:
        """Yield what has become mute or speaks again, and the commands."""
        yield from self._pulse.look({place: mark for symbol in symbols for place, mark in self._of(symbol)}, now_ns)
        yield from roster.renew(self._pulse.mute)
        yield self.wake

    def _of(self, symbol: str) -> Iterator[tuple[Place, Hashable]]:
        sequence, book = self._trades.get(symbol), self._books.get(symbol)
        yield (TRADE, symbol), sequence and sequence.next
        yield (DEPTH, symbol), book and book.heard
        yield (QUOTE, symbol), book and book.last_quote
        for channel, kind in KINDS.items():
            yield (channel, symbol), self._rare.get((kind, symbol))
