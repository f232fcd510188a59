"""What recorded OKX messages are about: channel, instrument and ids. The bytes themselves stay as they were."""

import zlib
from itertools import zip_longest
from urllib.parse import urlsplit

import msgspec

from simulator.ledger import Fact, scaled
from simulator.trades import TradeRow
from simulator.venue import UNREADABLE, Recorded
from simulator.venues.okx_listener import BUSINESS, PUBLIC, ChannelFrame

TRADES = ("trades", "trades-all")
PONG = b"pong"
CHECKED_LEVELS = 25
Level = list[str]


class Arg(msgspec.Struct, gc=False):
    """What a message belongs to."""

    channel: str
    instId: str = ""  # noqa: N815  (the venue's name)


class Push(msgspec.Struct, gc=False):
    """A message of a channel; an acknowledgement has no data."""

    arg: Arg | None = None
    event: str = ""
    action: str = ""
    data: list[msgspec.Raw] = []


class Trade(msgspec.Struct, gc=False):
    """A row of `trades`, `trades-all` and of the REST endpoints."""

    instId: str  # noqa: N815  (the venue's names)
    tradeId: str  # noqa: N815
    px: str
    sz: str
    side: str
    ts: str
    count: str = "1"


class Book(msgspec.Struct, gc=False, omit_defaults=True):
    """A row of a book channel."""

    asks: list[Level]
    bids: list[Level]
    ts: str
    checksum: int | None = None
    prevSeqId: int | None = None  # noqa: N815  (the venue's names)
    seqId: int | None = None  # noqa: N815


_push = msgspec.json.Decoder(Push).decode
_trade = msgspec.json.Decoder(Trade).decode
_book = msgspec.json.Decoder(Book).decode


def channel_frame(recorded: Recorded) -> ChannelFrame | None:
    """
    Return a recorded message of a channel; None for an answer to a command, for we answer ourselves.

    What cannot be read is passed on as it was, to everybody.
    """
    payload = recorded.event.body()
    path = BUSINESS if urlsplit(recorded.address).path.endswith(f"/{BUSINESS}") else PUBLIC
    if payload == PONG:
        return None
    try:
        push = _push(payload)
        if push.arg is None or push.event:
            return None
        if push.arg.channel in TRADES:
            _rows_of(push)
        return ChannelFrame(path, push.arg.channel, push.arg.instId, payload, _fact(push.arg, push.data))
    except UNREADABLE:
        return ChannelFrame(path, "", "", payload, Fact("", "unreadable"))


def _fact(arg: Arg, data: list[msgspec.Raw]) -> Fact:
    if arg.channel in TRADES and data:
        return trade_fact(_trade(data[0]), arg.channel)
    return Fact(arg.instId, arg.channel)


def trade_fact(trade: Trade, channel: str) -> Fact:
    """Return a trade for the ledger: it covers `count` ids, up to its own."""
    last = int(trade.tradeId)
    first = last - int(trade.count) + 1
    return Fact(trade.instId, channel, first, last, scaled(trade.px), scaled(trade.sz), trade.side == "buy")


def trade_rows(frame: ChannelFrame, position: int) -> list[TradeRow]:
    """Return the REST rows of a message that holds trades."""
    return _rows_of(_push(frame.payload), position) if frame.channel in TRADES else []


def rest_row(raw: msgspec.Raw) -> TradeRow:
    """Return a recorded row of an endpoint; it was there before the session."""
    return _row(_trade(raw), 0)


def _rows_of(push: Push, position: int = 0) -> list[TradeRow]:
    return [_row(_trade(raw), position) for raw in push.data]


def _row(trade: Trade, position: int) -> TradeRow:
    told = {"instId": trade.instId, "side": trade.side, "sz": trade.sz, "px": trade.px, "source": "0"}
    raw = msgspec.json.encode(told | {"tradeId": trade.tradeId, "ts": trade.ts})
    return TradeRow(int(trade.tradeId), int(trade.ts), position, raw, trade_fact(trade, "trades"))


def snapshot_after(frames: list[ChannelFrame]) -> ChannelFrame | None:
    """
    Return the book after these messages of one channel as the snapshot that a new subscription begins with.

    None if the recorder has missed a message since its last snapshot: then nobody knows the book.
    """
    bids: dict[float, Level] = {}
    asks: dict[float, Level] = {}
    last: Book | None = None
    is_whole = False
    for frame in frames:
        push = _push(frame.payload)
        for raw in push.data:
            book = _book(raw)
            if push.action == "snapshot":
                bids, asks, is_whole = {}, {}, True
            elif last is not None and book.prevSeqId != last.seqId:
                is_whole = False
            last = book
            _set(bids, last.bids)
            _set(asks, last.asks)
    if last is None or not is_whole:
        return None
    book = Book(
        asks=[asks[price] for price in sorted(asks)],
        bids=[bids[price] for price in sorted(bids, reverse=True)],
        ts=last.ts,
        checksum=last.checksum,
        prevSeqId=None if last.seqId is None else -1,
        seqId=last.seqId,
    )
    if book.checksum and book.checksum != checksum(book):
        return None
    frame = frames[-1]
    told = {"arg": {"channel": frame.channel, "instId": frame.symbol}, "action": "snapshot", "data": [book]}
    return frame._replace(payload=msgspec.json.encode(told))


def checksum(book: Book) -> int:
    """Return the checksum of the best 25 levels, bid and ask in turn, as the venue wrote their numbers."""
    turns = zip_longest(book.bids[:CHECKED_LEVELS], book.asks[:CHECKED_LEVELS])
    text = ":".join(f"{level[0]}:{level[1]}" for turn in turns for level in turn if level)
    number = zlib.crc32(text.encode())
    return number - 2**32 if number >= 2**31 else number


def _set(side: dict[float, Level], levels: list[Level]) -> None:
    for level in levels:
        if float(level[1]):
            side[float(level[0])] = level
        else:
            side.pop(float(level[0]), None)
