"""Recorded Alpaca frames, JSON or msgpack, as the JSON texts of their messages, numbers and times as they were."""

import struct
from typing import Any

import msgspec

from common.clock import NS_PER_S
from simulator.venue import UNREADABLE
from simulator.venues.alpaca_messages import Point, point, time_text

CONTROL = ("success", "error", "subscription")
ARRAY = b"["
FLOAT32_DIGITS = 9
SECONDS_BITS = 34

_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_packed = msgspec.msgpack.Decoder(list[dict[str, msgspec.Raw]]).decode


class Type(msgspec.Struct):
    """What tells a control message from data."""

    T: str = ""


_type = msgspec.json.Decoder(Type).decode


def points_of(payload: bytes) -> list[Point] | None:
    """Return the messages of a frame without those that control the session; None if it cannot be read."""
    try:
        texts = [bytes(raw) for raw in _array(payload)] if payload[:1] == ARRAY else _unpacked(payload)
        return [point(text) for text in texts if _type(text).T not in CONTROL]
    except UNREADABLE:
        return None


def _unpacked(payload: bytes) -> list[bytes]:
    return [
        msgspec.json.encode({name: _value(bytes(raw)) for name, raw in message.items()}) for message in _packed(payload)
    ]


def _value(raw: bytes) -> Any:  # noqa: ANN401  (whatever was recorded)
    """Return a value as JSON tells it: a time is a text of nine decimals, which a datetime could not hold."""
    match raw[0]:
        case 0xD6:  # Timestamp 32, 64, 96
            return time_text(int.from_bytes(raw[2:]) * NS_PER_S)
        case 0xD7:
            both = int.from_bytes(raw[2:])
            return time_text((both & (2**SECONDS_BITS - 1)) * NS_PER_S + (both >> SECONDS_BITS))
        case 0xC7:
            return time_text(int.from_bytes(raw[7:], signed=True) * NS_PER_S + int.from_bytes(raw[3:7]))
        case 0xCA:  # a float of four bytes
            return _float32(raw[1:])
        case _:
            return msgspec.msgpack.decode(raw)


def _float32(data: bytes) -> float:
    """Return the shortest number that means a float of four bytes."""
    (value,) = struct.unpack(">f", data)
    numbers = (float(f"{value:.{digits}g}") for digits in range(1, FLOAT32_DIGITS))
    return next((number for number in numbers if struct.pack(">f", number) == data), float(value))
