"""What recorded Binance messages are about: symbol, kind and ids. The bytes themselves stay as they were."""

from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from simulator.ledger import Fact, scaled
from simulator.trades import TradeRow
from simulator.venue import UNREADABLE
from simulator.venues.binance_listener import StreamFrame


class Outer(msgspec.Struct, gc=False):
    """A message of a combined connection, a bare one, or an answer to a command."""

    stream: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    e: str = ""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    code: int | None = None

    @property
    def is_said_anew(self) -> bool:
        """Return whether it was meant for the recorder alone: an answer to its command, or a farewell."""
        is_farewell = self.stream == "!serverShutdown" or self.e == "serverShutdown"
        return is_farewell or not (self.result is self.error is msgspec.UNSET and self.code is None)


class Kind(msgspec.Struct, gc=False):
    """What tells one message from another."""

    e: str = ""
    s: str = ""
    u: int = 0


class Trade(msgspec.Struct, gc=False):
    """A `trade` event."""

    t: int
    p: str
    q: str
    T: int
    m: bool
    M: bool = True


class AggTrade(msgspec.Struct, gc=False):
    """An `aggTrade` event, and a row of the REST endpoint."""

    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741  (the venue's name)
    T: int
    m: bool
    M: bool = True


class Diff(msgspec.Struct, gc=False):
    """A `depthUpdate` event."""

    U: int
    u: int


class RestTrade(msgspec.Struct, gc=False):
    """A row of `trades` and `historicalTrades`."""

    id: int
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815  (the venue's name)


_outer = msgspec.json.Decoder(Outer).decode
_kind = msgspec.json.Decoder(Kind).decode
_trade = msgspec.json.Decoder(Trade).decode
_agg_trade = msgspec.json.Decoder(AggTrade).decode
_diff = msgspec.json.Decoder(Diff).decode
_rest_trade = msgspec.json.Decoder(RestTrade).decode

STREAM_OF_KIND = {"depthUpdate": "depth@100ms", "24hrTicker": "ticker", "24hrMiniTicker": "miniTicker"}


def stream_frame(text: bytes, address: str) -> StreamFrame | None:
    """
    Return a recorded message, told which stream it belongs to if it does not say so itself.

    What cannot be read is passed on as it was, to everybody; what was said to the recorder alone is None.
    """
    if not text.startswith(b"["):
        try:
            outer = _outer(text)
        except UNREADABLE:
            return StreamFrame("", "", text, text, Fact("", "unreadable"))
        if outer.is_said_anew:
            return None
        if outer.data is not msgspec.UNSET:
            bare = bytes(outer.data)
            fact = _fact(bare)
            return StreamFrame(outer.stream, fact.symbol, text, bare, fact)
    fact = _fact(text)
    stream = f"{fact.symbol.lower()}@{STREAM_OF_KIND.get(fact.kind, fact.kind)}"
    if not fact.symbol:
        stream = urlsplit(address).path.rpartition("/")[2]
    return StreamFrame(stream, fact.symbol, b'{"stream":"%s","data":%s}' % (stream.encode(), text), text, fact)


def _fact(data: bytes) -> Fact:
    """Return what a message is about; one that is not what its kind promises is for everybody."""
    try:
        return Fact("", "array") if data.startswith(b"[") else _fact_of(data)
    except UNREADABLE:
        return Fact("", "unreadable")


def _fact_of(data: bytes) -> Fact:
    kind = _kind(data)
    if not kind.e:
        return Fact(kind.s, "bookTicker", kind.u, kind.u) if kind.u else Fact("", "partialDepth")
    match kind.e:
        case "trade":
            return trade_fact(kind.s, _trade(data))
        case "aggTrade":
            return agg_trade_fact(kind.s, _agg_trade(data))
        case "depthUpdate":
            diff = _diff(data)
            return Fact(kind.s, "depthUpdate", diff.U, diff.u)
        case other:
            return Fact(kind.s, other)


def trade_fact(symbol: str, trade: Trade) -> Fact:
    """Return a trade for the ledger. `m` says that the buyer was the maker: then the taker sold."""
    return Fact(symbol, "trade", trade.t, trade.t, scaled(trade.p), scaled(trade.q), not trade.m)


def agg_trade_fact(symbol: str, trade: AggTrade) -> Fact:
    """Return an aggregate trade for the ledger."""
    return Fact(symbol, "aggTrade", trade.a, trade.a, scaled(trade.p), scaled(trade.q), not trade.m)


def stream_row(frame: StreamFrame, position: int) -> TradeRow | None:
    """Return the REST row of a message that is a trade, None for any other."""
    match frame.fact.kind:
        case "trade":
            trade = _trade(frame.bare)
            return TradeRow(trade.t, trade.T, position, rest_trade(trade), frame.fact)
        case "aggTrade":
            agg = _agg_trade(frame.bare)
            return TradeRow(agg.a, agg.T, position, msgspec.json.encode(agg), frame.fact)
        case _:
            return None


def rest_trade(trade: Trade) -> bytes:
    """Return a streamed trade as the REST endpoint writes it."""
    quote = f"{Decimal(trade.p) * Decimal(trade.q):.8f}"
    return msgspec.json.encode(
        {
            "id": trade.t,
            "price": trade.p,
            "qty": trade.q,
            "quoteQty": quote,
            "time": trade.T,
            "isBuyerMaker": trade.m,
            "isBestMatch": trade.M,
        }
    )


def rest_rows(symbol: str, kind: str, raw: bytes) -> TradeRow:
    """Return a recorded row of an endpoint; it was there before the session."""
    if kind == "aggTrade":
        agg = _agg_trade(raw)
        return TradeRow(agg.a, agg.T, 0, raw, agg_trade_fact(symbol, agg))
    row = _rest_trade(raw)
    fact = Fact(symbol, kind, row.id, row.id, scaled(row.price), scaled(row.qty), not row.isBuyerMaker)
    return TradeRow(row.id, row.time, 0, raw, fact)
