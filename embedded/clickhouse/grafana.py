"""
The one question Grafana's ClickHouse plug-in asks before it trusts a server.

Its Go driver decodes the answer at the protocol revision it offers, which the engine cannot write. Answered at that
revision by hand, reporting revision 0, the driver uses revision 0, the engine's own, for everything after.
https://github.com/ClickHouse/clickhouse-go (conn_http.go, queryHello)
"""

import struct
from typing import Final

_HELLO: Final = b"select displayname(), version(), revision(), timezone()"
_BLOCK_INFO: Final = 51903
_CUSTOM_SERIALIZATION: Final = 54454


def is_hello(text: bytes) -> bool:
    """Return whether the statement is the plug-in's first question."""
    plain = b" ".join(text.lower().split()).removesuffix(b";").removesuffix(b" format native").strip()
    return plain == _HELLO


def hello(display_name: str, version: str, timezone: str, revision: int) -> bytes:
    """Return the answer as one Native block at the client's revision."""
    columns = (
        ("displayName()", "String", _string(display_name)),
        ("version()", "String", _string(version)),
        ("revision()", "UInt32", struct.pack("<I", 0)),
        ("timezone()", "String", _string(timezone)),
    )
    # Block info: field 1 "is overflows" = 0, field 2 "bucket number" = -1, end.
    block = b"\x01\x00\x02\xff\xff\xff\xff\x00" if revision >= _BLOCK_INFO else b""
    block += bytes((len(columns), 1))
    custom = b"\x00" if revision >= _CUSTOM_SERIALIZATION else b""
    for name, kind, value in columns:
        block += _string(name) + _string(kind) + custom + value
    return block


def _string(text: str) -> bytes:
    data = text.encode()
    length = len(data)
    head = b""
    while length >= 0x80:  # noqa: PLR2004  (a varint's continuation bit)
        head += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return head + bytes((length,)) + data
