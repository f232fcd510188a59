"""
Binance spot: trades, best bid and ask, and every change of the book, with the snapshots that the changes stand on.

We subscribe to `trade`, `bookTicker` and `depth@100ms`. `aggTrade`, klines and 24 h tickers are understood as well, as
recordings hold them. Partial depth (`depth5`, `depth10`, `depth20`) is left out knowingly: it is the top of the same
book once more, without an event time, and stored as a snapshot it would throw the levels below it away.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from urllib.parse import quote

import msgspec

from common.errors import BadAnswer
from common.records import Quote, Trade
from common.settings import Settings
from ingesters.feed import Dial, Fetch, Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_book import BookSequence
from ingesters.venues.binance_depth import delta_of, snapshot_of
from ingesters.venues.binance_fields import Read, Watch
from ingesters.venues.binance_rare import Rare, refused
from ingesters.venues.binance_trades import TradeSequence

STREAMS = ("trade", "bookTicker", "depth@100ms")
SYMBOLS_A_WIRE = 50  # 150 streams; the venue allows 1024, but the address has to fit a request line
LEAST_WAITING = 1_000  # deltas of a symbol that wait for its snapshot: 100 s of a busy one
MOST_WAITING = 100_000  # of all symbols together: at most 170 MB
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
# Half of the 6000 a minute may go into the first snapshots: a third of that at once, the rest evenly.
BURST_WEIGHT = 1000
WEIGHT_A_SECOND = 2000 / 60
SNAPSHOT = "snapshot:"
BAD_REQUEST = 400
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
        self._settings = settings
        self._resume = resume
        self._symbols = list(dict.fromkeys(symbol.upper() for symbol in settings.binance_symbols))
        self._trades: dict[str, TradeSequence] = {}
        self._books: dict[str, BookSequence] = {}
        self._deltas = 0
        by_kind: dict[str, Read] = {
            "trade": partial(self._trade, decode_trade, wire.TradeMessage),
            "bookTicker": self._quote,
            "depthUpdate": self._depth,
            "aggTrade": partial(self._trade, decode_agg_trade, wire.AggTradeMessage),
        }
        self._watch = Watch(KINDS, by_kind)
        self._readers = self._watch.readers
        self._rare = Rare(by_kind, self._watch)

    def opening(self) -> Iterator[Step]:
        """Listen first, then ask for the books: a snapshot must not be older than the first delta."""
        for start in range(0, len(self._symbols), SYMBOLS_A_WIRE):
            symbols = self._symbols[start : start + SYMBOLS_A_WIRE]
            names = "/".join(f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS)
            url = f"{self._settings.binance_ws_url}/stream?streams={quote(names, safe='/@')}"
            yield Dial(url, wire=f"ws{start // SYMBOLS_A_WIRE}")
        asked_weight = 0
        for symbol in self._symbols:
            request = self._request(symbol)
            asked_weight += request.weight
            self._book(symbol, is_asked=True)
            yield request._replace(after_s=max(0.0, (asked_weight - BURST_WEIGHT) / WEIGHT_A_SECOND))

    def receive(self, frame: Frame) -> Iterable[Step]:
        """Say what a frame means. Its stream's name is looked up in the bytes, so that it is parsed once."""
        payload = frame.payload
        if frame.reply_to is not None:
            return self._answer(frame, frame.reply_to.removeprefix(SNAPSHOT))
        at = payload.find(b"@")
        read = self._readers.get(payload[at : at + NAME_BYTES])
        if read is None:
            return self._rare.hear(frame)
        try:
            return read(payload, frame.received_ns)
        except msgspec.ValidationError:  # not what the stream's name promises
            return self._rare.hear(frame)

    def _request(self, symbol: str) -> Fetch:
        levels = self._settings.binance_depth_levels
        return Fetch(
            key=f"{SNAPSHOT}{symbol}",
            url=f"{self._settings.binance_rest_url}/api/v3/depth?symbol={quote(symbol)}&limit={levels}",
            weight=next(weight for most, weight in DEPTH_WEIGHTS if levels <= most),
            accept=(BAD_REQUEST,),
        )

    def _book(self, symbol: str, *, is_asked: bool = False) -> BookSequence:
        """Return the book of a symbol; one that was not asked for may come in a recording."""
        book = self._books.get(symbol)
        if book is None:
            mark, last_quote = self._resume.marks.get(("books", symbol)), self._resume.marks.get(("quotes", symbol))
            book = BookSequence(
                symbol,
                self._request(symbol),
                mark=mark,
                last_quote=last_quote,
                is_asked=is_asked,
                most_waiting=max(LEAST_WAITING, MOST_WAITING // max(1, len(self._symbols))),
            )
            self._books[symbol] = book
        return book

    def _trade(self, decode: Decode, kind: wire.TradeKind, payload: bytes, received_ns: int) -> Iterable[Step]:
        message = decode(payload).data
        symbol, number = message.symbol, message.id
        sequence = self._trades.get(symbol)
        if sequence is None:
            sequence = TradeSequence(self._resume.marks.get(("trades", symbol)), kind)
            self._trades[symbol] = sequence
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
            sequence.next, sequence.last_event_ns = number + 1, event_ns
            return (trade,)
        return sequence.hear(trade, number)

    def _quote(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        message = decode_book_ticker(payload).data
        symbol, update_id = message.symbol, message.update_id
        book = self._books.get(symbol) or self._book(symbol)
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
        return self._book(delta.symbol).hear(delta)

    def _answer(self, frame: Frame, symbol: str) -> Iterator[Step]:
        """Say what the answer to a question for a book means; a refused symbol leaves the others alone."""
        try:
            if frame.status == BAD_REQUEST:
                refusal = wire.REFUSAL.decode(frame.payload)
                self._book(symbol).give_up()
                return iter((refused(frame, refusal, channel="depth", symbol=symbol),))
            snapshot = snapshot_of(frame.payload, symbol, frame.received_ns)
        except msgspec.MsgspecError as error:
            raise BadAnswer(wire.VENUE, reason=f"depth of {symbol}: {error}") from error
        news = self._watch.look_at_snapshot(frame.payload, frame.received_ns)
        return chain(self._book(symbol).answer(snapshot), news)
