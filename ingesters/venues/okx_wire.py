"""
What OKX sends, typed. Only what we use is asked for; `okx_fields` sees the rest.

Everything but `seqId`, `prevSeqId` and `checksum` is text. https://www.okx.com/docs-v5/en/#order-book-trading-market-data
"""

from typing import Generic, TypeVar

import msgspec

from common.clock import NS_PER_MS

M = TypeVar("M")
Levels = list[tuple[str, ...]]  # price, size, "0", orders; without the "0" in `books-full`
Columns = tuple[tuple[str, ...], tuple[str, ...], tuple[int, ...]]

VENUE = "okx"
PROGRAM = "okx_ingester"
IN_WORDS = (400, 404, 410, 451)  # a refusal of one question: the sockets and the other questions go on
OLD_CANDLE, CANDLE = 7, 9  # columns of a candle, before 2023 and now: volCcyQuote and confirm came

_SPOT_PARTS = 2  # BTC-USDT; a derivative's name goes on: BTC-USDT-SWAP, BTC-USD-220527


def venue_ns(stamp: str) -> int:
    """Return a venue's time, milliseconds as text, in ns."""
    return int(stamp) * NS_PER_MS


def is_spot(symbol: str) -> bool:
    """Return whether an instrument is traded in its base currency and not in contracts."""
    return symbol.count("-") < _SPOT_PARTS


def columns(levels: Levels) -> Columns:
    """Return the prices, the sizes and the numbers of orders of levels, side by side."""
    if not levels:
        return (), (), ()
    prices, sizes, *_, orders = zip(*levels, strict=True)
    return prices, sizes, tuple(map(int, orders))


class Arg(msgspec.Struct, gc=False, rename={"symbol": "instId"}):
    """What a message belongs to."""

    channel: str
    symbol: str = ""


class Push(msgspec.Struct, Generic[M], gc=False):
    """A message of a channel."""

    arg: Arg
    data: list[M]
    action: str = ""


class TradeRow(
    msgspec.Struct,
    gc=False,
    rename={"symbol": "instId", "id": "tradeId", "price": "px", "size": "sz", "time": "ts"},
):
    """One match, or in `trades` all `count` matches of a taker's order at one price: ids `id - count + 1` to `id`."""

    symbol: str
    id: str
    price: str
    size: str
    side: str
    time: str
    count: str = "1"


class BookRow(
    msgspec.Struct,
    gc=False,
    rename={"time": "ts", "sequence": "seqId", "previous": "prevSeqId"},
):
    """A book, its top, or the levels that changed. Recordings of before 2023 have no numbers but a checksum."""

    asks: Levels
    bids: Levels
    time: str
    sequence: int | None = None
    previous: int | None = None
    checksum: int | None = None  # 0 says nothing: the venue stopped computing it in June 2026


class TickerRow(
    msgspec.Struct,
    gc=False,
    rename={
        "symbol": "instId",
        "last_price": "last",
        "last_size": "lastSz",
        "ask_price": "askPx",
        "ask_size": "askSz",
        "bid_price": "bidPx",
        "bid_size": "bidSz",
        "open": "open24h",
        "high": "high24h",
        "low": "low24h",
        "volume": "vol24h",
        "volume_in_currency": "volCcy24h",
        "time": "ts",
    },
):
    """The last 24 hours of an instrument; an empty text is nothing told."""

    symbol: str
    last_price: str
    time: str
    last_size: str = ""
    ask_price: str = ""
    ask_size: str = ""
    bid_price: str = ""
    bid_size: str = ""
    open: str = ""
    high: str = ""
    low: str = ""
    volume: str = ""
    volume_in_currency: str = ""


class Answer(msgspec.Struct, Generic[M], gc=False):
    """The body of every answer by HTTP; only code "0" comes with data."""

    code: str
    msg: str = ""
    data: list[M] = []


class Unsure(msgspec.Struct, gc=False, rename={"connection_id": "connId", "number": "id"}):
    """Any JSON object, read just far enough to tell what it is."""

    arg: Arg | None = None
    event: str = ""
    code: str = ""
    msg: str = ""
    connection_id: str = ""
    number: str | None = None  # of the request that it answers


TRADES = msgspec.json.Decoder(Push[TradeRow])
BOOKS = msgspec.json.Decoder(Push[BookRow])
TICKERS = msgspec.json.Decoder(Push[TickerRow])
CANDLES = msgspec.json.Decoder(Push[list[str]])
UNSURE = msgspec.json.Decoder(Unsure)

TRADE_ANSWER = msgspec.json.Decoder(Answer[TradeRow])
BOOK_ANSWER = msgspec.json.Decoder(Answer[BookRow])
TICKER_ANSWER = msgspec.json.Decoder(Answer[TickerRow])
CANDLE_ANSWER = msgspec.json.Decoder(Answer[list[str]])
