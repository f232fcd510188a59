"""
What Alpaca's market data sends, typed, and its two codecs: JSON in text frames, msgpack in binary ones.

Numbers and times are kept as the bytes that were sent until somebody needs them: prices as text, ids as integers of any
size, times as nanoseconds. https://docs.alpaca.markets/docs/streaming-market-data
"""

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple, TypeAlias

import msgspec

from common.clock import NS_PER_S
from ingesters.venues.alpaca_time import rfc3339_ns

VENUE = "alpaca"

JSON_HEADER = ("Content-Type", "application/json")
MSGPACK_HEADER = ("Content-Type", "application/msgpack")

_MSGPACK_ARRAYS = (*range(0x90, 0xA0), 0xDC, 0xDD)
_FLOAT32, _STAMP_32, _STAMP_64, _STAMP_96 = 0xCA, 0xD6, 0xD7, 0xC7
_EXACT_FLOAT32_DIGITS = 9
_SECONDS_BITS = 34


class AnyTrade(msgspec.Struct, gc=False, kw_only=True):
    """A trade as the stream and as REST tell it; crypto has a taker side, stocks an exchange, conditions and a tape."""

    t: msgspec.Raw
    p: msgspec.Raw
    s: msgspec.Raw
    i: int
    x: str = ""
    c: tuple[str, ...] = ()
    z: str = ""
    tks: str = ""


class TradeMessage(AnyTrade, tag_field="T", tag="t", gc=False, kw_only=True):
    """One match."""

    S: str


class RestTrade(AnyTrade, gc=False, kw_only=True):
    """One match, by REST; `u` says what became of it since."""

    u: str = ""


class QuoteMessage(msgspec.Struct, tag_field="T", tag="q", gc=False):
    """The best bid and ask; sizes of stocks are round lots, not shares."""

    S: str
    t: msgspec.Raw
    bp: msgspec.Raw
    bs: msgspec.Raw
    ap: msgspec.Raw
    as_: msgspec.Raw = msgspec.field(name="as")
    bx: str = ""
    ax: str = ""
    c: tuple[str, ...] = ()
    z: str = ""


class AnyBar(msgspec.Struct, gc=False):
    """A candle; `t` is the start of it."""

    S: str
    t: msgspec.Raw
    o: msgspec.Raw
    h: msgspec.Raw
    l: msgspec.Raw  # noqa: E741  the venue's name
    c: msgspec.Raw
    v: msgspec.Raw
    n: int | None = None
    vw: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class BarMessage(AnyBar, tag_field="T", tag="b", gc=False):
    """The minute that has just ended."""


class UpdatedBarMessage(AnyBar, tag_field="T", tag="u", gc=False):
    """A minute that was told before, with the trades that came late."""


class DailyBarMessage(AnyBar, tag_field="T", tag="d", gc=False):
    """The day so far."""


class CorrectionMessage(msgspec.Struct, tag_field="T", tag="c", gc=False):
    """A trade that was otherwise than told: `o` as it was told, `c` as it was."""

    S: str
    t: msgspec.Raw
    x: str
    oi: int
    op: msgspec.Raw
    os: msgspec.Raw
    ci: int
    cp: msgspec.Raw
    cs: msgspec.Raw
    oc: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    z: str = ""


class CancelMessage(msgspec.Struct, tag_field="T", tag="x", gc=False):
    """A trade that never was; `a` is C for a cancel, E for an error."""

    S: str
    t: msgspec.Raw
    x: str
    i: int
    p: msgspec.Raw
    s: msgspec.Raw
    a: str = ""
    z: str = ""


class StatusMessage(msgspec.Struct, tag_field="T", tag="s", gc=False):
    """A halt, a resumption; codes of tapes A and B are CTA's, those of C and O are UTP's."""

    S: str
    t: msgspec.Raw
    sc: str
    sm: str = ""
    rc: str = ""
    rm: str = ""
    z: str = ""


class LuldMessage(msgspec.Struct, tag_field="T", tag="l", gc=False):
    """Limit up, limit down: the band in which a stock may trade."""

    S: str
    t: msgspec.Raw
    u: msgspec.Raw
    d: msgspec.Raw
    i: str = ""
    z: str = ""


class ImbalanceMessage(msgspec.Struct, tag_field="T", tag="i", gc=False):
    """An order imbalance; the venue tells a price and nothing else."""

    S: str
    t: msgspec.Raw
    p: msgspec.Raw
    z: str = ""


class Level(msgspec.Struct, gc=False):
    """A price and its new size; 0 takes it away."""

    p: msgspec.Raw
    s: msgspec.Raw


class BookMessage(msgspec.Struct, tag_field="T", tag="o", gc=False):
    """Levels that changed; with `r`, all there are."""

    S: str
    t: msgspec.Raw
    b: list[Level]
    a: list[Level]
    r: bool = False


class SuccessMessage(msgspec.Struct, tag_field="T", tag="success", gc=False):
    """Connected, or authenticated."""

    msg: str


class ErrorMessage(msgspec.Struct, tag_field="T", tag="error", gc=False):
    """A command was refused, or the connection is about to end."""

    code: int
    msg: str = ""


class SubscriptionMessage(msgspec.Struct, tag_field="T", tag="subscription", gc=False):
    """All that is subscribed to; feeds leave out the channels that they do not have."""

    trades: tuple[str, ...] = ()
    quotes: tuple[str, ...] = ()
    bars: tuple[str, ...] = ()
    updatedBars: tuple[str, ...] = ()  # noqa: N815  the venue's name
    dailyBars: tuple[str, ...] = ()  # noqa: N815  the venue's name
    statuses: tuple[str, ...] = ()
    lulds: tuple[str, ...] = ()
    imbalances: tuple[str, ...] = ()
    orderbooks: tuple[str, ...] = ()


Message: TypeAlias = (
    TradeMessage
    | QuoteMessage
    | BarMessage
    | UpdatedBarMessage
    | DailyBarMessage
    | CorrectionMessage
    | CancelMessage
    | StatusMessage
    | LuldMessage
    | ImbalanceMessage
    | BookMessage
    | SuccessMessage
    | ErrorMessage
    | SubscriptionMessage
)


class Page(msgspec.Struct, gc=False):
    """A page of trades by REST, symbol by symbol."""

    trades: dict[str, list[RestTrade]] | None
    next_page_token: str | None = None


class Refusal(msgspec.Struct, gc=False):
    """The body of a refusal by REST."""

    message: str = ""


class Codec(NamedTuple):
    """How one of the two framings is read and written."""

    messages: Callable[[bytes], list[Message]]
    message: Callable[[msgspec.Raw], Message]
    parts: Callable[[bytes], list[msgspec.Raw]]
    fields: Callable[[msgspec.Raw], dict[str, msgspec.Raw]]
    number: Callable[[msgspec.Raw], str]
    time_ns: Callable[[msgspec.Raw], int]
    encode: Callable[[object], bytes]
    word: Callable[[msgspec.Raw], str]


def codec_of(payload: bytes) -> Codec:
    """Return the codec of a frame: every frame is an array, and JSON's begin with a bracket."""
    return MSGPACK if payload[:1] and payload[0] in _MSGPACK_ARRAYS else JSON


def json_number(raw: msgspec.Raw) -> str:
    """Return a number as the venue wrote it, without an exponent; raise ValueError when it is none."""
    text = bytes(raw).decode()
    if text.replace(".", "", 1).isdecimal():
        return text
    return _plain(text)


def _json_time_ns(raw: msgspec.Raw) -> int:
    return rfc3339_ns(bytes(raw).decode()[1:-1])


def _msgpack_number(raw: msgspec.Raw) -> str:
    """Return an integer or a float as the shortest text that means it."""
    data = bytes(raw)
    if data[0] == _FLOAT32:
        return _plain(_float32_text(data[1:]))
    value = msgspec.msgpack.decode(data, type=int | float | str)
    return _plain(repr(value) if isinstance(value, float) else str(value))


def _float32_text(data: bytes) -> str:
    (value,) = struct.unpack(">f", data)
    for digits in range(1, _EXACT_FLOAT32_DIGITS):
        if struct.pack(">f", float(text := f"{value:.{digits}g}")) == data:
            return text
    return f"{value:.{_EXACT_FLOAT32_DIGITS}g}"


def _msgpack_time_ns(raw: msgspec.Raw) -> int:
    """Return a Timestamp extension in ns: a datetime would round it to microseconds."""
    data = bytes(raw)
    match data[0]:
        case 0xD6:
            return int.from_bytes(data[2:]) * NS_PER_S
        case 0xD7:
            both = int.from_bytes(data[2:])
            return (both & (2**_SECONDS_BITS - 1)) * NS_PER_S + (both >> _SECONDS_BITS)
        case 0xC7:
            return int.from_bytes(data[7:], signed=True) * NS_PER_S + int.from_bytes(data[3:7])
        case _:
            return rfc3339_ns(msgspec.msgpack.decode(data, type=str))


def _plain(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"expected a number, found {text!r}") from error
    if not number.is_finite():
        raise ValueError(f"expected a number, found {text!r}")
    plain = f"{number:f}"
    return plain.removesuffix(".0")


def levels(codec: Codec, side: Sequence[Level]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return prices and sizes, side by side."""
    return tuple(codec.number(level.p) for level in side), tuple(codec.number(level.s) for level in side)


JSON = Codec(
    msgspec.json.Decoder(list[Message]).decode,
    msgspec.json.Decoder(Message).decode,
    msgspec.json.Decoder(list[msgspec.Raw]).decode,
    msgspec.json.Decoder(dict[str, msgspec.Raw]).decode,
    json_number,
    _json_time_ns,
    msgspec.json.encode,
    msgspec.json.Decoder(str).decode,
)
MSGPACK = Codec(
    msgspec.msgpack.Decoder(list[Message]).decode,
    msgspec.msgpack.Decoder(Message).decode,
    msgspec.msgpack.Decoder(list[msgspec.Raw]).decode,
    msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode,
    _msgpack_number,
    _msgpack_time_ns,
    msgspec.msgpack.encode,
    msgspec.msgpack.Decoder(str).decode,
)
PAGE = msgspec.json.Decoder(Page)
REFUSAL = msgspec.json.Decoder(Refusal)
