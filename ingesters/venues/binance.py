"""
Binance spot: trades, best bid and ask, and every change of the book, with the snapshots that the changes stand on.

We subscribe to `trade`, `bookTicker` and `depth@100ms`. `aggTrade`, klines and 24 h tickers are understood as well, as
recordings hold them. Partial depth (`depth5`, `depth10`, `depth20`) is left out knowingly: it is the top of the same
book once more, without an event time, and stored as a snapshot it would throw the levels below it away.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from common.codec import Origin, dead_letter
from common.errors import BadAnswer, WireLost
from common.records import Bar, BookUpdate, FeedEvent, Quote, Ticker, Trade
from common.settings import Settings
from ingesters.feed import Dial, Fetch, Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_book import BookSequence
from ingesters.venues.binance_trades import TradeSequence

STREAMS = ("trade", "bookTicker", "depth@100ms")
SYMBOLS_A_WIRE = 100  # 300 streams; the venue allows 1024, but the address has to stay a sane one
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
# Half of the 6000 a minute may go into the first snapshots: a third of that at once, the rest evenly.
BURST_WEIGHT = 1000
WEIGHT_A_SECOND = 2000 / 60
SNAPSHOT = "snapshot:"
BAD_REQUEST = 400
TYPE_KEY = b'"e":"'
HEAD_BYTES = 128  # the type, if a message has one, stands right behind the stream's name

Read = Callable[[bytes, int], Iterable[Step]]


class BinanceFeed:
    """One connection to Binance spot: a socket for each hundred symbols, and a snapshot for each symbol."""

    venue = wire.VENUE

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._settings = settings
        self._resume = resume
        self._symbols = list(dict.fromkeys(symbol.upper() for symbol in settings.binance_symbols))
        self._trades: dict[str, TradeSequence] = {}
        self._last_quote = {symbol: mark for (topic, symbol), mark in resume.marks.items() if topic == "quotes"}
        self._books = {symbol: self._new_book(symbol, is_asked=True) for symbol in self._symbols}
        self._unknown: set[str] = set()
        self._readers: dict[bytes, Read] = {
            b"trade": self._trade,
            b"aggTrade": self._agg_trade,
            b"depthUpdate": self._depth,
            b"kline": self._kline,
            b"24hrTicker": self._ticker,
            b"24hrMiniTicker": self._mini_ticker,
        }

    def opening(self) -> Iterator[Step]:
        """Listen first, then ask for the books: a snapshot must not be older than the first delta."""
        for start in range(0, len(self._symbols), SYMBOLS_A_WIRE):
            symbols = self._symbols[start : start + SYMBOLS_A_WIRE]
            names = "/".join(f"{symbol.lower()}@{stream}" for symbol in symbols for stream in STREAMS)
            url = f"{self._settings.binance_ws_url}/stream?streams={names}"
            yield Dial(url, wire=f"ws{start // SYMBOLS_A_WIRE}")
        asked_weight = 0
        for symbol in self._symbols:
            request = self._request(symbol)
            asked_weight += request.weight
            yield request._replace(after_s=max(0.0, (asked_weight - BURST_WEIGHT) / WEIGHT_A_SECOND))

    def receive(self, frame: Frame) -> Iterator[Step]:
        """Say what a frame means; the type is looked up in the bytes, so that each is parsed once."""
        payload = frame.payload
        if frame.reply_to is not None:
            return self._snapshot(frame, frame.reply_to.removeprefix(SNAPSHOT))
        at = payload.find(TYPE_KEY, 0, HEAD_BYTES)
        if at < 0:
            if payload.find(b'bookTicker"', 0, HEAD_BYTES) > 0:
                return iter(self._quote(payload, frame.received_ns))
            return self._other(frame)
        read = self._readers.get(payload[at + len(TYPE_KEY) : payload.find(b'"', at + len(TYPE_KEY))])
        return self._other(frame) if read is None else iter(read(payload, frame.received_ns))

    def _request(self, symbol: str) -> Fetch:
        levels = self._settings.binance_depth_levels
        return Fetch(
            key=f"{SNAPSHOT}{symbol}",
            url=f"{self._settings.binance_rest_url}/api/v3/depth?symbol={symbol}&limit={levels}",
            weight=next(weight for most, weight in DEPTH_WEIGHTS if levels <= most),
            accept=(BAD_REQUEST,),
        )

    def _new_book(self, symbol: str, *, is_asked: bool) -> BookSequence:
        mark = self._resume.marks.get(("books", symbol))
        return BookSequence(symbol, self._request(symbol), mark=mark, is_asked=is_asked)

    def _trade(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        return self._numbered(wire.TRADE.decode(payload).data, received_ns)

    def _agg_trade(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        return self._numbered(wire.AGG_TRADE.decode(payload).data, received_ns)

    def _numbered(self, message: wire.TradeMessage | wire.AggTradeMessage, received_ns: int) -> Iterable[Step]:
        symbol = message.symbol
        sequence = self._trades.get(symbol)
        if sequence is None:
            sequence = TradeSequence(self._resume.marks.get(("trades", symbol)), type(message))
            self._trades[symbol] = sequence
        if sequence.kind is not type(message):  # the same trades told twice, under two numberings: the first counts
            return ()
        trade = Trade(
            venue=wire.VENUE,
            symbol=symbol,
            received_ns=received_ns,
            trade_id=str(message.id),
            event_ns=wire.venue_ns(message.time),
            price=message.price,
            size=message.size,
            # Binance flags the maker, not the taker. A buyer who was the maker means a seller who crossed the spread.
            # https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#trade-streams
            taker_side="sell" if message.is_buyer_maker else "buy",
            sequence=message.id,
        )
        return sequence.hear(trade, message.id)

    def _quote(self, payload: bytes, received_ns: int) -> Iterable[Step]:
        message = wire.BOOK_TICKER.decode(payload).data
        symbol, update_id = message.symbol, message.update_id
        if update_id <= self._last_quote.get(symbol, -1):
            return ()
        self._last_quote[symbol] = update_id
        return (
            Quote(
                venue=wire.VENUE,
                symbol=symbol,
                received_ns=received_ns,
                bid_price=message.bid_price,
                bid_size=message.bid_size,
                ask_price=message.ask_price,
                ask_size=message.ask_size,
                sequence=update_id,
            ),
        )
