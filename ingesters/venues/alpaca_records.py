"""
What one message of Alpaca means, as a record.

Ids of stock trades are unique within a symbol, an exchange and a trading day only, so `trade_id` is made of all three:
`K-20230406-628`. Ids of crypto trades stand alone. Both are made of what the stream and REST tell alike.
"""

import msgspec

from common.records import Bar, BookUpdate, Quote, Status, Trade, TradeCorrection
from ingesters.venues import alpaca_wire as wire
from ingesters.venues.alpaca_codec import Codec, levels
from ingesters.venues.alpaca_rest import RestTrade
from ingesters.venues.alpaca_time import trading_day
from ingesters.venues.alpaca_wire import VENUE

ENDED = ("canceled", "incorrect")  # by REST: it never was, or it was otherwise and that stands as a trade of its own


def trade_id(exchange: str, number: int, event_ns: int) -> str:
    """Return an id that no other trade of the symbol has."""
    return f"{exchange}-{trading_day(event_ns)}-{number}" if exchange else str(number)


def trade(message: wire.AnyTrade, symbol: str, received_ns: int, codec: Codec) -> Trade:
    """Return a match; stocks are told without the taker's side."""
    event_ns = codec.time_ns(message.t)
    side = message.tks
    return Trade(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        trade_id=trade_id(message.x, message.i, event_ns),
        event_ns=event_ns,
        price=codec.number(message.p),
        size=codec.number(message.s),
        taker_side="buy" if side == "B" else "sell" if side == "S" else "unknown",
        exchange=message.x,
        conditions=",".join(message.c or ()),
    )


def quote(message: wire.QuoteMessage, received_ns: int, codec: Codec) -> Quote:
    """Return the best bid and ask; sizes as the venue tells them, which for stocks is in round lots."""
    number = codec.number
    return Quote(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        event_ns=codec.time_ns(message.t),
        bid_price=number(message.bp),
        bid_size=number(message.bs),
        ask_price=number(message.ap),
        ask_size=number(message.as_),
        bid_exchange=message.bx,
        ask_exchange=message.ax,
        conditions=",".join(message.c or ()),
    )


def bar(message: wire.AnyBar, symbol: str, received_ns: int, codec: Codec) -> Bar:
    """Return a candle; an updated minute has the same opening time, and replaces the first one."""
    is_daily = isinstance(message, wire.DailyBarMessage)
    return Bar(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        interval="1d" if is_daily else "1m",
        open_ns=codec.time_ns(message.t),
        open=codec.number(message.o),
        high=codec.number(message.h),
        low=codec.number(message.l),
        close=codec.number(message.c),
        volume=codec.number(message.v),
        vwap=codec.number(message.vw) if isinstance(message.vw, msgspec.Raw) else None,
        trades=message.n,
        is_closed=not is_daily,
    )


def correction(message: wire.CorrectionMessage, received_ns: int, codec: Codec) -> TradeCorrection:
    """Return that a trade was otherwise, under a new id."""
    event_ns = codec.time_ns(message.t)
    before = f"{codec.number(message.os)} at {codec.number(message.op)}, conditions {','.join(message.oc or ())}"
    return TradeCorrection(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        trade_id=trade_id(message.x, message.oi, event_ns),
        action="correct",
        event_ns=event_ns,
        new_trade_id=trade_id(message.x, message.ci, event_ns),
        new_price=codec.number(message.cp),
        new_size=codec.number(message.cs),
        new_conditions=",".join(message.cc or ()),
        detail=f"was {before}, tape {message.z}",
    )


def cancel(message: wire.CancelMessage, received_ns: int, codec: Codec) -> TradeCorrection:
    """Return that a trade never was."""
    event_ns = codec.time_ns(message.t)
    what = {"C": "cancelled", "E": "an error"}.get(message.a, message.a)
    return TradeCorrection(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        trade_id=trade_id(message.x, message.i, event_ns),
        action="cancel",
        event_ns=event_ns,
        detail=f"{what}: {codec.number(message.s)} at {codec.number(message.p)}, tape {message.z}",
    )


def ended(row: RestTrade, told: Trade) -> TradeCorrection:
    """Return what REST tells of a trade that does not stand any more."""
    return TradeCorrection(
        venue=VENUE,
        symbol=told.symbol,
        received_ns=told.received_ns,
        trade_id=told.trade_id,
        action="cancel",
        event_ns=told.event_ns,
        detail=f"{row.u}, as told by REST; when is not known",
    )


def trading_status(message: wire.StatusMessage, received_ns: int, codec: Codec) -> Status:
    """Return a halt or a resumption: in words, with the codes of the tape."""
    return Status(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        event_ns=codec.time_ns(message.t),
        kind="trading",
        status=message.sm or message.sc,
        reason=f"{message.rc}: {message.rm}" if message.rc and message.rm else message.rc or message.rm,
        detail=f"code {message.sc}, tape {message.z}",
    )


def price_band(message: wire.LuldMessage, received_ns: int, codec: Codec) -> Status:
    """Return the band in which a stock may trade; `status` is the venue's indicator."""
    return Status(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        event_ns=codec.time_ns(message.t),
        kind="price_band",
        status=message.i,
        lower_price=codec.number(message.d),
        upper_price=codec.number(message.u),
        detail=f"tape {message.z}",
    )


def imbalance(message: wire.ImbalanceMessage, received_ns: int, codec: Codec) -> Status:
    """Return an order imbalance. It is no ticker: the price is not that of a trade, and nothing else is told."""
    return Status(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        event_ns=codec.time_ns(message.t),
        kind="imbalance",
        status="imbalance",
        detail=f"price {codec.number(message.p)}, tape {message.z}",
    )


def book(message: wire.BookMessage, received_ns: int, codec: Codec) -> BookUpdate:
    """Return a book, best level first, or changes of one; the venue numbers neither."""
    bids, asks = message.b or [], message.a or []
    if message.r:
        bids = sorted(bids, key=lambda level: float(codec.number(level.p)), reverse=True)
        asks = sorted(asks, key=lambda level: float(codec.number(level.p)))
    bid_prices, bid_sizes = levels(codec, bids)
    ask_prices, ask_sizes = levels(codec, asks)
    return BookUpdate(
        venue=VENUE,
        symbol=message.S,
        received_ns=received_ns,
        event_ns=codec.time_ns(message.t),
        kind="snapshot" if message.r else "delta",
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
    )
