"""What the pushed messages of OKX mean, channel by channel."""

from collections.abc import Iterable, Iterator, Mapping

from common.records import Bar
from ingesters.feed import Frame, Step
from ingesters.venues import okx_wire as wire
from ingesters.venues.latest import CLOCKS_APART_NS
from ingesters.venues.okx_backfill import Backfill
from ingesters.venues.okx_book import DEPTHS, BookSequence
from ingesters.venues.okx_fields import Checksums, Read
from ingesters.venues.okx_records import bar_of, quote_of, ticker_of, top_of, trade_of
from ingesters.venues.okx_subscriptions import Renewals
from ingesters.venues.okx_trades import TradeSequence

TOPS = {"bbo-tbt": 1, "books5": 5}
CANDLE = "candle"
SHORT = ("1s", "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H")
LONG = ("6H", "12H", "1D", "2D", "3D", "5D", "1W", "1M", "3M")  # of Hong Kong's day; with `utc` behind them, of UTC's
CANDLES = tuple(f"{CANDLE}{interval}" for interval in (*SHORT, *LONG, *(f"{interval}utc" for interval in LONG)))

decode_trades = wire.TRADES.decode
decode_books = wire.BOOKS.decode


class Quoted:
    """The number of the last best bid and ask told, and when that was; a subscription begins with it again."""

    def __init__(self, mark: int | None) -> None:
        self._last = mark
        self._event_ns: int | None = None  # unknown for a mark

    def is_repeat(self, number: int | None, event_ns: int, received_ns: int) -> bool:
        """
        Return whether this was told; an old number on something newer is a new numbering.

        When that of a mark was is not known, but surely before this connection heard its first.
        """
        if number is None:
            return False
        newest_ns = received_ns + CLOCKS_APART_NS if self._event_ns is None else self._event_ns
        if self._last is not None and number <= self._last and event_ns <= newest_ns:
            self._event_ns = newest_ns
            return True
        self._last, self._event_ns = number, max(event_ns, self._event_ns or 0)
        return False


class Readers:
    """All symbols' books, trades, quotes and candles. A symbol that nobody asked for may come in a recording."""

    def __init__(self, marks: Mapping[tuple[str, str], int], backfill: Backfill, renewals: Renewals) -> None:
        self.by_channel: dict[bytes, Read] = {
            **dict.fromkeys((b"trades-all", b"trades"), self._trades),
            **{channel.encode(): self._books for channel in DEPTHS},
            **{channel.encode(): self._top for channel in TOPS},
            b"tickers": self._tickers,
            **{channel.encode(): self._candles for channel in CANDLES},
        }
        self._marks = marks
        self._backfill = backfill
        self._renewals = renewals
        self._sequences: dict[str, TradeSequence] = {}
        self._books_of: dict[str, BookSequence] = {}
        self._quoted: dict[str, Quoted] = {}
        self._closed_ns: dict[tuple[str, str], int] = {}  # the newest candle that has ended
        self._checksums = Checksums()
        self._unwanted: set[str] = set()
        self.heard: dict[tuple[str, str], int] = {}  # when each channel of each symbol was pushed last

    def want(self, symbols: Iterable[str]) -> None:
        """Hear these again."""
        self._unwanted -= set(symbols)

    def has_begun(self, symbol: str) -> bool:
        """Return whether a trade of a symbol was pushed."""
        return symbol in self._sequences

    def leave(self, symbols: Iterable[str]) -> None:
        """Leave out what still comes of these."""
        for symbol in symbols:
            self._unwanted.add(symbol)
            self._books_of.pop(symbol, None)
            if symbol in self._sequences:
                self._sequences[symbol].leave()

    def is_overtaken(self, bar: Bar) -> bool:
        """Return whether a candle that was asked for is older than one that was pushed meanwhile."""
        closed_ns = self._closed_ns.get((bar.symbol, bar.interval))
        return closed_ns is not None and bar.open_ns <= closed_ns and not bar.is_closed

    def _trades(self, frame: Frame) -> Iterable[Step]:
        push = decode_trades(frame.payload)
        channel, rows = push.arg.channel, push.data
        if len(rows) == 1:
            return self._trade(rows[0], channel, frame.received_ns)
        return [step for row in rows for step in self._trade(row, channel, frame.received_ns)]

    def _trade(self, row: wire.TradeRow, channel: str, received_ns: int) -> Iterable[Step]:
        symbol = row.symbol
        if symbol in self._unwanted:
            return ()
        self.heard[channel, symbol] = received_ns
        sequence = self._sequences.get(symbol)
        if sequence is None:
            mark = self._marks.get(("trades", symbol))
            sequence = TradeSequence(symbol, channel, mark=mark, backfill=self._backfill)
            self._sequences[symbol] = sequence
        if channel != sequence.channel:
            return ()
        return sequence.hear(trade_of(row, received_ns), int(row.id) - int(row.count) + 1)

    def _books(self, frame: Frame) -> Iterable[Step]:
        push = decode_books(frame.payload)
        return () if push.arg.symbol in self._unwanted else self._follow(push, frame)

    def _follow(self, push: wire.Push[wire.BookRow], frame: Frame) -> Iterator[Step]:
        symbol, source = push.arg.symbol, (frame.wire, push.arg.channel)
        book = self._book(symbol)
        self.heard[push.arg.channel, symbol] = frame.received_ns
        is_snapshot = push.action == "snapshot"
        for row in push.data:
            hear = book.snapshot if is_snapshot else book.update
            yield from hear(row, source, frame.received_ns)
            if news := self._checksums.notice(row, frame, push.arg.channel):
                yield news
        if is_snapshot and book.is_in_step:
            self._renewals.have(symbol, frame.received_ns)

    def _book(self, symbol: str) -> BookSequence:
        book = self._books_of.get(symbol)
        if book is None:
            book = BookSequence(symbol, mark=self._marks.get(("books", symbol)), renew=self._renewals.lose)
            self._books_of[symbol] = book
        return book

    def _top(self, frame: Frame) -> Iterable[Step]:
        push = decode_books(frame.payload)
        return () if push.arg.symbol in self._unwanted else self._see_top(push, frame)

    def _see_top(self, push: wire.Push[wire.BookRow], frame: Frame) -> Iterator[Step]:
        symbol, depth = push.arg.symbol, TOPS[push.arg.channel]
        self.heard[push.arg.channel, symbol] = frame.received_ns
        for row in push.data:
            if depth > 1 or not row.bids or not row.asks:  # a quote has two sides
                yield top_of(row, symbol, frame.received_ns, depth)
            elif not self._was_quoted(row, symbol, frame.received_ns):
                yield quote_of(row, symbol, frame.received_ns)
            if symbol in self._books_of:
                yield from self._books_of[symbol].top(row, frame.received_ns)

    def _was_quoted(self, row: wire.BookRow, symbol: str, received_ns: int) -> bool:
        quoted = self._quoted.get(symbol)
        if quoted is None:
            quoted = self._quoted[symbol] = Quoted(self._marks.get(("quotes", symbol)))
        return quoted.is_repeat(row.sequence, wire.venue_ns(row.time), received_ns)

    def _tickers(self, frame: Frame) -> Iterable[Step]:
        push = wire.TICKERS.decode(frame.payload)
        rows = push.data
        self.heard[push.arg.channel, push.arg.symbol] = frame.received_ns
        return [ticker_of(row, frame.received_ns) for row in rows if row.symbol not in self._unwanted]

    def _candles(self, frame: Frame) -> Iterable[Step]:
        push = wire.CANDLES.decode(frame.payload)
        symbol, interval = push.arg.symbol, push.arg.channel.removeprefix(CANDLE)
        if symbol in self._unwanted:
            return ()
        self.heard[push.arg.channel, symbol] = frame.received_ns
        bars = [bar_of(candle, symbol, frame.received_ns, interval=interval) for candle in push.data]
        ended = [bar.open_ns for bar in bars if bar.is_closed]
        if ended:
            self._closed_ns[symbol, interval] = max(ended)
        return bars
