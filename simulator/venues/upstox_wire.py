"""
Protocol Buffers by hand: enough to write frames of Upstox, and to take recorded ones apart without changing a byte.

A second implementation beside the generated one that the ingester reads with, so that two meet.
https://protobuf.dev/programming-guides/encoding/
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
SIZES = {FIXED64: 8, FIXED32: 4}
TYPE, FEEDS, CURRENT_TS, MARKET_INFO = 1, 2, 3, 4
INITIAL, LIVE, MARKET_STATUS = 0, 1, 2
NORMAL_OPEN = 2
SEGMENTS = (
    "NSE_EQ NSE_FO NSE_INDEX NSE_COM NCD_FO BSE_EQ BSE_FO BSE_INDEX BCD_FO MCX_FO MCX_INDEX".split()  # noqa: SIM905
)


class Field(NamedTuple):
    """A field of a message: its number, all of its bytes, and those of its value where it has a length."""

    number: int
    raw: bytes
    value: bytes


def varint(number: int) -> bytes:
    """Return a number, seven bits a byte."""
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004  what fits in seven bits
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def whole(number: int, value: int) -> bytes:
    """Return a field that is an integer; 0 is left out."""
    return varint(number << 3) + varint(value) if value else b""


def real(number: int, value: float) -> bytes:
    """Return a field that is a double; 0 is left out, but not -0, which has other bits."""
    bits = struct.pack("<d", value)
    return varint(number << 3 | FIXED64) + bits if any(bits) else b""


def inner(number: int, payload: bytes) -> bytes:
    """Return a field that is a message."""
    return varint(number << 3 | LENGTH) + varint(len(payload)) + payload


def text(number: int, value: str) -> bytes:
    """Return a field that is a text."""
    return inner(number, value.encode())


def entry(number: int, key: str, value: bytes) -> bytes:
    """Return one entry of a map whose values are messages."""
    return inner(number, text(1, key) + inner(2, value))


def fields(message: bytes) -> Iterator[Field]:
    """
    Yield the fields of a message in their order.

    Raises:
        IndexError: it is cut off.
        KeyError: it is no message.
    """
    at = 0
    while at < len(message):
        start = at
        tag, at = _varint(message, at)
        kind = tag & 7
        value_at = at
        if kind == VARINT:
            _, at = _varint(message, at)
        elif kind == LENGTH:
            size_bytes, value_at = _varint(message, at)
            at = value_at + size_bytes
        else:
            at += SIZES[kind]
        if at > len(message):
            raise IndexError(at)
        yield Field(tag >> 3, message[start:at], message[value_at:at])


def _varint(message: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  the last one
            return number, at
        shift += 7


def keys_of(frame: bytes) -> tuple[str, ...]:
    """Return the instruments that a frame tells of; none of a market status."""
    return tuple([_key(field) for field in fields(frame) if field.number == FEEDS])


def only(frame: bytes, wanted: Iterable[str]) -> bytes:
    """Return a frame without the instruments that are not wanted."""
    names = set(wanted)
    return b"".join([field.raw for field in fields(frame) if field.number != FEEDS or _key(field) in names])


def _key(feeds: Field) -> str:
    return next(part.value.decode() for part in fields(feeds.value) if part.number == 1)


def frame_of(kind: int, entries: Sequence[bytes], now_ms: int) -> bytes:
    """Return a frame of instruments."""
    return whole(TYPE, kind) + b"".join(entries) + whole(CURRENT_TS, now_ms)


def market_status(now_ms: int) -> bytes:
    """Return the frame that says that every segment is open."""
    segments = [inner(1, text(1, segment) + whole(2, NORMAL_OPEN)) for segment in SEGMENTS]
    return frame_of(MARKET_STATUS, [inner(MARKET_INFO, b"".join(segments))], now_ms)
