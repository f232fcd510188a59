"""A record to one JSON line of a stream entry, and back."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from common.errors import UnreadableRecord
from common.records import DeadLetter, Record

R = TypeVar("R", bound=Record)

_ENCODER = msgspec.json.Encoder()

encode: Callable[[object], bytes] = _ENCODER.encode


def encode_lines(records: Sequence[Record]) -> bytes:
    """Return records as JSON lines, without a newline at the end."""
    return _ENCODER.encode_lines(records)[:-1]


@cache
def _decoder(record_type: type[R]) -> msgspec.json.Decoder[R]:
    return msgspec.json.Decoder(record_type)


def decode_lines(data: bytes, record_type: type[R]) -> list[R]:
    """
    Return the records of one entry's `data`, one JSON object a line.

    Raises:
        UnreadableRecord: a line is not such a record.
    """
    try:
        return _decoder(record_type).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(record_type.__name__, reason=str(error)) from error


def decode_alike(data: bytes, record_type: type[R]) -> Sequence[msgspec.Struct]:
    """
    Return the records of one entry's `data` with no more fields than its first line tells.

    Most lines of a batch tell the same fields. What none of them tells need not be made, nor looked at again: that
    takes a third off the way from bytes to columns. Where a line tells more, all come with all of their fields.

    Raises:
        UnreadableRecord: a line is not such a record.
    """
    try:
        end = data.find(b"\n")
        told = frozenset(_FIELDS.decode(data if end < 0 else data[:end]))
        return _decoder_of(record_type, told).decode_lines(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return decode_lines(data, record_type)


_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@lru_cache(maxsize=256)
def _decoder_of(record_type: type[Record], told: frozenset[str]) -> msgspec.json.Decoder[msgspec.Struct]:
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(record_type)
        if field.required or field.name in told
    ]
    some = msgspec.defstruct(record_type.__name__, fields, gc=False, forbid_unknown_fields=True, kw_only=True)
    return msgspec.json.Decoder(some)


def decode_line(line: bytes, record_type: type[R]) -> R:
    """Return one record; raise UnreadableRecord when it is none."""
    try:
        record: R = _decoder(record_type).decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRecord(record_type.__name__, reason=str(error)) from error
    return record


def as_text(payload: bytes) -> tuple[str, Literal["text", "base64"]]:
    """Return bytes as text that JSON can carry, and which of the two encodings that is."""
    try:
        return payload.decode(), "text"
    except UnicodeDecodeError:
        return base64.b64encode(payload).decode(), "base64"


class Origin(NamedTuple):
    """Where bytes that are set aside came from; `place` makes the occurrence unique, so a repeat has the same id."""

    program: str
    stream: str
    place: str
    received_ns: int
    venue: str = ""
    symbol: str = ""


def dead_letter(payload: bytes, origin: Origin, *, reason: str, attempts: int = 1) -> DeadLetter:
    """Set bytes that could not be read or stored aside, whole."""
    text, encoding = as_text(payload)
    return DeadLetter(
        venue=origin.venue,
        symbol=origin.symbol,
        received_ns=origin.received_ns,
        id=hashlib.sha256(origin.place.encode() + b"\0" + payload).hexdigest()[:32],
        stream=origin.stream,
        program=origin.program,
        reason=reason,
        attempts=attempts,
        payload=text,
        encoding=encoding,
    )
