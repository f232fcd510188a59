"""Alpaca's messages: which channel tells them, and the same message in JSON and in msgpack."""

import struct
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from common.clock import NS_PER_S
from simulator.ledger import Fact, scaled

CHANNELS = {
    "t": "trades",
    "q": "quotes",
    "b": "bars",
    "u": "updatedBars",
    "d": "dailyBars",
    "s": "statuses",
    "l": "lulds",
    "i": "imbalances",
    "c": "corrections",
    "x": "cancelErrors",
    "o": "orderbooks",
}
STOCK_CHANNELS = (
    "trades",
    "quotes",
    "bars",
    "updatedBars",
    "dailyBars",
    "statuses",
    "lulds",
    "imbalances",
    "corrections",
    "cancelErrors",
)
TEST_CHANNELS = ("trades", "quotes", "bars")
CRYPTO_CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
FOLLOW_TRADES = ("corrections", "cancelErrors")  # nobody can ask for them

_MINUTE = "%Y-%m-%dT%H:%M:%S"
_STAMP_TYPE = -1


class Point(NamedTuple):
    """One element of an array: what it is about, its JSON, and what the ledger says of it."""

    channel: str
    symbol: str
    text: bytes
    fact: Fact


class Head(msgspec.Struct):
    """What tells one message from another."""

    T: str
    S: str = ""


class TradeNumbers(msgspec.Struct):
    """What the ledger wants of a trade."""

    S: str
    i: int
    p: msgspec.Raw
    s: msgspec.Raw
    x: str = ""
    tks: str = ""


_head = msgspec.json.Decoder(Head).decode
_numbers = msgspec.json.Decoder(TradeNumbers).decode


def point(text: bytes) -> Point:
    """Return a message told from its JSON; one that no channel tells has none."""
    head = _head(text)
    fact = Fact(head.S, head.T)
    if head.T == "t":
        with suppress(msgspec.ValidationError):  # a recorded trade that is none
            fact = trade_fact(_numbers(text))
    return Point(CHANNELS.get(head.T, ""), head.S, text, fact)


def trade_fact(trade: TradeNumbers) -> Fact:
    """Return a trade for the ledger; ids are counted by exchange, for only there are they unique."""
    price, size = scaled(bytes(trade.p).decode()), scaled(bytes(trade.s).decode())
    return Fact(trade.S, f"t{trade.x}", trade.i, trade.i, price, size, trade.tks == "B")


def array(points: list[Point], *, is_msgpack: bool) -> bytes:
    """Return one frame."""
    if not is_msgpack:
        return b"[" + b",".join([one.text for one in points]) + b"]"
    return as_msgpack([msgspec.json.decode(one.text) for one in points])


def as_msgpack(messages: list[dict[str, Any]]) -> bytes:
    """Return messages with their times as Timestamp extensions; T stays the first key."""
    return msgspec.msgpack.encode(
        [
            {name: _stamp(value) if name == "t" and isinstance(value, str) else value for name, value in one.items()}
            for one in messages
        ]
    )


def time_ns(text: str) -> int:
    """Return a time in ns; raise ValueError when it is none. Clients may write the offset of UTC another way than Z."""
    text = text.removesuffix("+00:00")
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = int(datetime.strptime(whole, _MINUTE).replace(tzinfo=UTC).timestamp())
    return seconds * NS_PER_S + int(fraction.ljust(9, "0") or 0)


def time_text(at_ns: int) -> str:
    """Return a time as the venue writes it: nine decimals, without the zeros at the end."""
    seconds, fraction = divmod(at_ns, NS_PER_S)
    decimals = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{datetime.fromtimestamp(seconds, UTC):{_MINUTE}}{decimals}Z"


def _stamp(text: str) -> msgspec.msgpack.Ext:
    seconds, fraction_ns = divmod(time_ns(text), NS_PER_S)
    return msgspec.msgpack.Ext(_STAMP_TYPE, struct.pack(">Q", fraction_ns << 34 | seconds))
