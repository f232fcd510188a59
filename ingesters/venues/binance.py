"""
Binance spot: trades, best bid and ask, every change of the book with the snapshots that the changes stand on, candles.

We subscribe to `trade`, `bookTicker`, `depth@100ms`, `kline_1m` and `ticker`. `aggTrade`, other candles, mini tickers
and partial depth (`depth5`, `depth10`, `depth20`: the top of the same book once more) are understood as well, as
recordings hold them.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain

import msgspec

from common.records import Quote, Trade
from common.settings import Settings
from ingesters.feed import Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_backfill import PROGRAM, Backfill
from ingesters.venues.binance_bars import Bars
from ingesters.venues.binance_books import Books
from ingesters.venues.binance_depth import delta_of
from ingesters.venues.binance_fields import Read, Watch
from ingesters.venues.binance_pulse import BinancePulse
from ingesters.venues.binance_rare import Rare
from ingesters.venues.binance_roster import Roster
from ingesters.venues.binance_stretch import Kind
from ingesters.venues.binance_trades import KIND_OF, NAME_OF, TradeSequence
from ingesters.venues.binance_wishes import ByHand
from ingesters.venues.chosen import Chosen

NAME_BYTES = 6  # of the name of a stream, its @ included
KINDS = {b"@trade": "trade", b"@bookT": "bookTicker", b"@depth": "depthUpdate", b"@aggTr": "aggTrade"}
# New fields are looked for in the first message of each kind, and again after so many deltas. Only deltas are counted:
# each symbol has ten a second, and the counter would be felt in what comes more often.
DELTAS_A_LOOK = 1000

Decode = Callable[[bytes], wire.Envelope[wire.TradeMessage] | wire.Envelope[wire.AggTradeMessage]]

VENUE = wire.VENUE
venue_ns = wire.venue_ns
decode_trade = wire.TRADE.decode
decode_agg_trade = wire.AGG_TRADE.decode
decode_book_ticker = wire.BOOK_TICKER.decode


class BinanceFeed:
    """One connection to Binance spot: a socket for each fifty symbols, and a snapshot for each symbol."""

    venue = wire.VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._resume = resume
        self._chosen = Chosen(PROGRAM, [symbol.upper() for symbol in settings.binance_symbols])
        self._roster = Roster(settings)
        self._trades: dict[str, TradeSequence] = {}
        self._backfill = Backfill(settings, resume)
        self._by_hand = ByHand(settings.binance_rest_url, self._backfill, self._kind_of)
        self._bars = Bars(settings, resume)
        self._snapshots = Books(settings, resume)
        self._books = self._snapshots.by_symbol
        self._deltas = 0
        by_kind: dict[str, Read] = {
            "trade": partial(self._trade, decode_trade, wire.TradeMessage),
            "bookTicker": self._quote,
            "depthUpdate": self._depth,
            "aggTrade": partial(self._trade, decode_agg_trade, wire.AggTradeMessage),
            "kline": self._bars.hear,
        }
        self._watch = Watch(KINDS, by_kind)
        self._readers = self._watch.readers
        self._rare = Rare(by_kind, self._watch)
        self._pulse = BinancePulse(settings.binance_mute_s, self._trades, self._books, self._rare.heard)

    def opening(self) -> Iterator[Step]:
        """Listen first, then ask for the books: a snapshot must not be older than the first delta."""
        yield from self._roster.add(self._chosen.symbols)
        yield from self._snapshots.ask(self._chosen.symbols)
        yield from self._backfill.opening()
        yield self._chosen.recall
        yield self._by_hand.recall
        yield self._pulse.wake

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means. Its stream's name is looked up in the bytes, so that it is parsed once."""
        payload = frame.payload
        if frame.reply_to is not None:
            return self._answer(frame, frame.reply_to)
        at = payload.find(b"@")
        read = self._readers.get(payload[at : at + NAME_BYTES])
        if read is None:
            return self._rare.hear(frame)
        try:
            return read(payload, frame.received_ns)
        except msgspec.ValidationError:  # not what the stream's name promises
            return self._rare.hear(frame)

    def _trade(self, decode: Decode, kind: wire.TradeKind, payload: bytes, received_ns: int) -> Iterable[Step]:
        message = decode(payload).data
        symbol, number = message.symbol, message.id
        sequence = self._trades.get(symbol)
        if sequence is None:
            if not self._begin(symbol, kind):
                return ()
            ends = self._backfill.begin(symbol, number, event_ns=venue_ns(message.time), received_ns=received_ns)
            return chain(self._trade(decode, kind, payload, received_ns), ends)
        if sequence.kind is not kind:  # the same trades told twice, under two numberings: the first counts
            return ()
        event_ns = venue_ns(message.time)
        trade = Trade(
            VENUE,
            symbol,
            received_ns,
            trade_id=str(number),
            event_ns=event_ns,
            price=message.price,
            size=message.size,
            # Binance flags the maker, not the taker. A buyer who was the maker means a seller who crossed the spread.
            # https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#trade-streams
            taker_side="sell" if message.is_buyer_maker else "buy",
            sequence=number,
        )
        if number == sequence.next:  # as nearly always: no call for it
            latest = sequence.latest
            sequence.next, latest.at_ns = number + 1, max(event_ns, latest.at_ns or 0)
            return (trade,)
        return sequence.hear(trade, number)

    def _quote(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        message = decode_book_ticker(payload).data
        symbol, update_id = message.symbol, message.update_id
        book = self._books.get(symbol) or self._snapshots.begin(symbol)
        if update_id <= book.last_quote:
            return ()
        book.last_quote = update_id
        return (
            Quote(
                venue=VENUE,
                symbol=symbol,
                received_ns=received_ns,
                bid_price=message.bid_price,
                bid_size=message.bid_size,
                ask_price=message.ask_price,
                ask_size=message.ask_size,
                sequence=update_id,
            ),
        )

    def _depth(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        delta = delta_of(payload, received_ns)
        self._deltas += 1
        if self._deltas % DELTAS_A_LOOK == 0:
            self._watch.look_again()
        book = self._books.get(delta.symbol) or self._snapshots.begin(delta.symbol)
        return book.hear(delta)

    def _begin(self, symbol: str, kind: wire.TradeKind) -> bool:
        """Begin a symbol's numbering behind what is stored; return whether it is that of the history under way."""
        history = self._backfill.history(symbol)
        mark = history.next - 1 if history else self._resume.marks.get(("trades", symbol))
        is_fitting = history is None or KIND_OF[history.kind] is kind
        if is_fitting:
            self._trades[symbol] = TradeSequence(mark, kind, self._backfill)
        return is_fitting

    def _kind_of(self, symbol: str) -> Kind | None:
        sequence = self._trades.get(symbol)
        return NAME_OF[sequence.kind] if sequence else None

    def _answer(self, frame: Frame, key: str) -> Iterable[Step]:
        """Say what the answer to a question means."""
        purpose, _, symbol = key.rpartition(":")
        match purpose:
            case "trades":
                return self._backfill.answer(frame, symbol)
            case "pulse":
                return self._pulse.look(self._chosen.symbols, self._roster, frame.received_ns)
            case "wish" | "backfill":
                return self._by_hand.answer(frame, symbol) if purpose == "wish" else self._by_hand.hear(frame)
            case "klines":
                return self._bars.answer(frame, symbol)
            case "snapshot" | "refresh":
                steps = self._snapshots.answer(frame, symbol, is_asked_for_again=purpose == "refresh")
                return chain(steps, self._watch.look_at_snapshot(frame))
            case _:
                return self._choose(frame)

    def _choose(self, frame: Frame) -> Iterator[Step]:
        """Hear which symbols are wanted now."""
        added, removed = ([symbol.upper() for symbol in part] for part in self._chosen.hear(frame))
        self._snapshots.drop(removed)
        yield from self._roster.remove(removed)
        yield from self._roster.add(added)
        yield from self._snapshots.ask(added)
        yield self._chosen.recall
