"""
What Binance's REST endpoints answer, row by row: trades by id, and candles.

https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#market-data-endpoints
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from common.records import Bar, Trade
from ingesters.venues.binance_wire import VENUE, venue_ns

PAGE_ROWS = 1000  # the most that the venue gives at once


class HistoricalTrade(msgspec.Struct, gc=False, rename={"size": "qty", "is_buyer_maker": "isBuyerMaker"}):
    """A row of `trades` and `historicalTrades`. Its `quoteQty` is cut off after eight decimals: no exact notional."""

    id: int
    price: str
    size: str
    time: int
    is_buyer_maker: bool


class AggregateTrade(
    msgspec.Struct,
    gc=False,
    rename={"id": "a", "price": "p", "size": "q", "time": "T", "is_buyer_maker": "m"},
):
    """A row of `aggTrades`."""

    id: int
    price: str
    size: str
    time: int
    is_buyer_maker: bool


class Kline(msgspec.Struct, gc=False, array_like=True):
    """A row of `klines`: an array, of which we use the first nine."""

    open_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    close_time: int
    quote_volume: str
    trades: int


Row = HistoricalTrade | AggregateTrade


class Endpoint(NamedTuple):
    """Where one numbering of trades can be asked by id, what a page costs, and how it is read."""

    path: str
    weight: int
    decode: Callable[[bytes], list[HistoricalTrade] | list[AggregateTrade]]


# The two streams of trades number differently: a hole is filled from the endpoint with the numbers of its stream.
ENDPOINTS = {
    "trade": Endpoint("historicalTrades", 25, msgspec.json.Decoder(list[HistoricalTrade]).decode),
    "aggTrade": Endpoint("aggTrades", 4, msgspec.json.Decoder(list[AggregateTrade]).decode),
}
KLINES = msgspec.json.Decoder(list[Kline])


def trade_of(row: Row, symbol: str, received_ns: int) -> Trade:
    """Return a row as a trade; without a sequence, for it lies behind what is stored already."""
    return Trade(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        trade_id=str(row.id),
        event_ns=venue_ns(row.time),
        price=row.price,
        size=row.size,
        taker_side="sell" if row.is_buyer_maker else "buy",  # the flag is the maker's, as in the stream
        source="backfill",
    )


def bars_of(payload: bytes, symbol: str, interval: str, received_ns: int) -> list[Bar]:
    """Return a page of candles as bars; the last one may still be open."""
    return [
        Bar(
            venue=VENUE,
            symbol=symbol,
            received_ns=received_ns,
            interval=interval,
            open_ns=venue_ns(kline.open_time),
            open=kline.open,
            high=kline.high,
            low=kline.low,
            close=kline.close,
            volume=kline.volume,
            quote_volume=kline.quote_volume,
            trades=kline.trades,
            is_closed=venue_ns(kline.close_time) < received_ns,
        )
        for kline in KLINES.decode(payload)
    ]
