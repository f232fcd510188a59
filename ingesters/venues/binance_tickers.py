"""Binance's tickers: a symbol's last 24 hours, told each second."""

from collections.abc import Iterable

import msgspec

from common.records import Ticker
from ingesters.feed import Step
from ingesters.venues.binance_wire import VENUE, Envelope, venue_ns


class TickerMessage(
    msgspec.Struct,
    gc=False,
    rename={"symbol": "s", "time": "E", "last_price": "c", "last_size": "Q", "volume": "v", "quote_volume": "q"}
    | {"open": "o", "high": "h", "low": "l", "previous_close": "x", "average_price": "w"}
    | {"bid_price": "b", "bid_size": "B", "ask_price": "a", "ask_size": "A"},
):
    """The rolling 24 hours of a symbol; the mini ticker is the same without what is None here."""

    symbol: str
    time: int
    last_price: str
    volume: str
    quote_volume: str | None = None
    open: str | None = None
    high: str | None = None
    low: str | None = None
    last_size: str | None = None
    previous_close: str | None = None
    average_price: str | None = None
    bid_price: str | None = None
    bid_size: str | None = None
    ask_price: str | None = None
    ask_size: str | None = None


TICKER = msgspec.json.Decoder(Envelope[TickerMessage | list[TickerMessage]])


def tickers(payload: bytes, received_ns: int) -> Iterable[Step]:
    """Return one ticker, or those of all symbols that changed."""
    messages = TICKER.decode(payload).data
    return [
        Ticker(
            venue=VENUE,
            symbol=message.symbol,
            received_ns=received_ns,
            event_ns=venue_ns(message.time),
            last_price=message.last_price,
            last_size=message.last_size,
            volume=message.volume,
            quote_volume=message.quote_volume,
            bid_price=message.bid_price,
            bid_size=message.bid_size,
            ask_price=message.ask_price,
            ask_size=message.ask_size,
            open=message.open,
            high=message.high,
            low=message.low,
            previous_close=message.previous_close,
            average_price=message.average_price,
        )
        for message in (messages if isinstance(messages, list) else [messages])
    ]
