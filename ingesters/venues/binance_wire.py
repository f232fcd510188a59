"""
What Binance spot sends, typed.

Only the keys that we use are asked for: the order ids `b` and `a` of a trade went in 2023, `M` may go any day. Unknown
keys break nothing; `binance_fields` sees them.
https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
"""

from typing import Generic, TypeVar

import msgspec

from common.clock import NS_PER_MS, NS_PER_US

M = TypeVar("M")
Levels = list[tuple[str, str]]

VENUE = "binance"

_YEAR_5138_IN_MS = 10**14


def venue_ns(stamp: int) -> int:
    """Return a venue's time in ns. We ask for ms, but recordings of `timeUnit=MICROSECOND` hold µs."""
    return stamp * (NS_PER_MS if stamp < _YEAR_5138_IN_MS else NS_PER_US)


def columns(levels: Levels) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the prices and the sizes of levels, side by side."""
    if not levels:
        return (), ()
    prices, sizes = zip(*levels, strict=True)
    return prices, sizes


class Envelope(msgspec.Struct, Generic[M], gc=False):
    """A frame of a combined stream."""

    data: M


class AnyTrade(
    msgspec.Struct,
    gc=False,
    rename={"symbol": "s", "price": "p", "size": "q", "time": "T", "is_buyer_maker": "m"},
):
    """What both kinds of trade say; `time` is that of the trade, not of the message."""

    symbol: str
    price: str
    size: str
    time: int
    is_buyer_maker: bool


class TradeMessage(AnyTrade, tag_field="e", tag="trade", gc=False, rename={"id": "t"}):
    """One match."""

    id: int


class AggTradeMessage(AnyTrade, tag_field="e", tag="aggTrade", gc=False, rename={"id": "a"}):
    """All matches of one taker order at one price; its ids are another numbering than those of single trades."""

    id: int


TradeKind = type[TradeMessage] | type[AggTradeMessage]


class BookTickerMessage(
    msgspec.Struct,
    gc=False,
    rename={"symbol": "s", "update_id": "u", "bid_price": "b", "bid_size": "B", "ask_price": "a", "ask_size": "A"},
):
    """The best bid and ask; the venue gives it neither a type nor a time."""

    symbol: str
    update_id: int
    bid_price: str
    bid_size: str
    ask_price: str
    ask_size: str


class DepthMessage(
    msgspec.Struct,
    tag_field="e",
    tag="depthUpdate",
    gc=False,
    rename={"symbol": "s", "time": "E", "first_id": "U", "last_id": "u", "bids": "b", "asks": "a"},
):
    """Levels that changed, with their new absolute sizes."""

    symbol: str
    time: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


class DepthAnswer(msgspec.Struct, gc=False, rename="camel"):
    """The body of GET /api/v3/depth, best level first."""

    last_update_id: int
    bids: Levels
    asks: Levels


class Candle(
    msgspec.Struct,
    gc=False,
    rename={"open_time": "t", "interval": "i", "open": "o", "high": "h", "low": "l", "close": "c"}
    | {"volume": "v", "quote_volume": "q", "trades": "n", "is_closed": "x"},
):
    """The inner part of a kline."""

    open_time: int
    interval: str
    open: str
    high: str
    low: str
    close: str
    volume: str
    trades: int
    is_closed: bool
    quote_volume: str | None = None


class KlineMessage(
    msgspec.Struct, tag_field="e", tag="kline", gc=False, rename={"symbol": "s", "time": "E", "candle": "k"}
):
    """A candle so far."""

    symbol: str
    time: int
    candle: Candle


class Refusal(msgspec.Struct, gc=False):
    """The body of every error, by HTTP and by WebSocket."""

    code: int
    msg: str


class Unsure(msgspec.Struct, gc=False):
    """Any JSON object, read just far enough to tell what it is."""

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: Refusal | None = None
    code: int | None = None
    msg: str = ""


class Inner(msgspec.Struct, gc=False):
    """Any payload in an envelope, read just far enough to tell what it is."""

    e: str = ""
    s: str = ""


TRADE = msgspec.json.Decoder(Envelope[TradeMessage])
AGG_TRADE = msgspec.json.Decoder(Envelope[AggTradeMessage])
BOOK_TICKER = msgspec.json.Decoder(Envelope[BookTickerMessage])
DEPTH = msgspec.json.Decoder(Envelope[DepthMessage])
KLINE = msgspec.json.Decoder(Envelope[KlineMessage])
PARTIAL_DEPTH = msgspec.json.Decoder(Envelope[DepthAnswer])
DEPTH_ANSWER = msgspec.json.Decoder(DepthAnswer)
REFUSAL = msgspec.json.Decoder(Refusal)
UNSURE = msgspec.json.Decoder(Unsure)
INNER = msgspec.json.Decoder(Inner | list[Inner])
