"""
The Native format as it is at a client's protocol revision.

The engine writes revision 0: no block info, and `DateTime` without its time zone. Clients that offer a revision
get both. Revisions with a serialization byte for each column are answered as revision 0, as clients expect of an
old server. https://github.com/ClickHouse/ClickHouse/blob/master/src/Formats/NativeWriter.cpp
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_BLOCK_INFO_FROM: Final = 51903
_TIME_ZONES_FROM: Final = 54337
_CUSTOM_SERIALIZATION_FROM: Final = 54454

# Field 1 "is overflows" = 0, field 2 "bucket number" = -1, end.
BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_BARE_DATE_TIME: Final = b"\x08DateTime"
_FIXED_BYTES: Final = (
    ("UInt8|Int8|Bool|Enum8", 1),
    ("UInt16|Int16|Date|Enum16", 2),
    ("UInt32|Int32|Float32|DateTime|Date32|IPv4", 4),
    ("UInt64|Int64|Float64|DateTime64", 8),
    ("UInt128|Int128|UUID|IPv6", 16),
    ("UInt256|Int256", 32),
)
_WIDTHS: Final = tuple((re.compile(rf"(?:{names})(?:\(.*\))?\Z", re.DOTALL), width) for names, width in _FIXED_BYTES)


class Column(NamedTuple):
    """A result's column as DESCRIBE tells it."""

    name: bytes
    type: str


def wants_block_info(revision: int) -> bool:
    """Return whether blocks at this revision begin with block info."""
    return _BLOCK_INFO_FROM <= revision < _CUSTOM_SERIALIZATION_FROM


def needs_time_zones(block: bytes, revision: int) -> bool:
    """Return whether the block may have lost a time zone that this revision knows."""
    return _TIME_ZONES_FROM <= revision < _CUSTOM_SERIALIZATION_FROM and _BARE_DATE_TIME in block


def with_time_zones(block: bytes, columns: Sequence[Column]) -> bytes:
    """Return the block with the full type names of its DateTime columns."""
    if not any(column.type.startswith("DateTime(") for column in columns):
        return block
    _, at = _number(block, 0)
    rows, at = _number(block, at)
    parts = []
    done = 0
    for column in columns:
        short = "DateTime" if column.type.startswith("DateTime(") else column.type
        head = _text(column.name) + _text(short.encode())
        at = block.find(head, at)
        if at < 0:
            return block  # another result than the described one: better no zone than a wrong one
        at += len(head)
        if short != column.type:
            parts += [block[done : at - len(head)], _text(column.name), _text(column.type.encode())]
            done = at
        at += rows * _width(column.type)
    return b"".join([*parts, block[done:]])


def _width(type_name: str) -> int:
    """Return the bytes of one value, 0 if they vary: then the next column's head is looked for."""
    return next((width for names, width in _WIDTHS if names.match(type_name)), 0)


def _number(block: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = block[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004  (a varint's continuation bit)
            return number, at


def _text(data: bytes) -> bytes:
    length = len(data)
    head = b""
    while length >= 0x80:  # noqa: PLR2004  (as above)
        head += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return head + bytes((length,)) + data
