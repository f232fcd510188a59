"""
Alpaca's two codecs: JSON in text frames, msgpack in binary ones, chosen by a header of the handshake.

Prices and sizes come out as text, times as nanoseconds, exactly as they were sent.
"""

import struct
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from common.clock import NS_PER_S
from ingesters.venues.alpaca_time import rfc3339_ns
from ingesters.venues.alpaca_wire import Level, Message

JSON_HEADER = ("Content-Type", "application/json")
MSGPACK_HEADER = ("Content-Type", "application/msgpack")

_MSGPACK_ARRAYS = (*range(0x90, 0xA0), 0xDC, 0xDD)
_FLOAT32, _STAMP_32, _STAMP_64, _STAMP_96 = 0xCA, 0xD6, 0xD7, 0xC7
_EXACT_FLOAT32_DIGITS = 9
_SECONDS_BITS = 34
_SECONDS = (1 << _SECONDS_BITS) - 1
_LARGEST = 1e30


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
    value: float = struct.unpack(">f", data)[0]
    if abs(value) > _LARGEST:
        raise ValueError(f"expected a number of a market, found {value}")
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
            return (both & _SECONDS) * NS_PER_S + (both >> _SECONDS_BITS)
        case 0xC7:
            seconds = int.from_bytes(data[7:], signed=True)
            return seconds * NS_PER_S + int.from_bytes(data[3:7])
        case _:
            text: str = msgspec.msgpack.decode(data, type=str)
            return rfc3339_ns(text)


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
