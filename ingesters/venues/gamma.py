"""What Gamma says: pages of raw objects, and a market out of one of them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import msgspec

from common.errors import BadAnswer
from common.records import Market

VENUE = "polymarket"
OFFSET = "offset:"  # a place in the older endpoint, which has no cursors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LATEST_YEAR = 2261  # the last whole one that nanoseconds in 64 bits can hold
_NOTHING = msgspec.Raw(b"null")
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


class _Envelope(msgspec.Struct):
    markets: list[msgspec.Raw]
    next_cursor: str | None = None


class _Event(msgspec.Struct, gc=False):
    id: str = ""


class _Market(msgspec.Struct, rename="camel", gc=False):
    """The keys that we keep. Any but the id may be missing, and many are: 62 % of active markets have no volume."""

    id: str
    question: str | None = None
    condition_id: str | None = None
    slug: str | None = None
    outcomes: str | tuple[str, ...] | None = None
    clob_token_ids: str | tuple[str, ...] | None = None
    position_ids: tuple[str, ...] | None = None
    version: str | None = None
    neg_risk: bool | None = None  # not negRiskAugmented (of the event), not negRiskOther (true for hardly any)
    neg_risk_market_id: str | None = msgspec.field(default=None, name="negRiskMarketID")
    events: tuple[_Event, ...] | None = None
    active: bool | None = None
    closed: bool | None = None
    created_at: str | None = None
    updated_at: str | None = None
    end_date: str | None = None
    end_date_iso: str | None = None
    closed_time: str | None = None
    volume: msgspec.Raw = _NOTHING  # a string beside volumeNum, a number: the bytes, so that no digit is lost
    volume_num: msgspec.Raw = _NOTHING
    liquidity: msgspec.Raw = _NOTHING
    liquidity_num: msgspec.Raw = _NOTHING


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_market = msgspec.json.Decoder(_Market).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...] | None).decode


class Page(NamedTuple):
    """A page: markets not yet decoded, and where the next one begins (None: this was the last)."""

    objects: list[bytes]
    following: str | None


def read_page(payload: bytes, cursor: str) -> Page:
    """
    Return what an answer holds: an envelope with a cursor, or the bare array of the older endpoint.

    Only a missing cursor, or an empty page by offset, is the end: Gamma cuts pages to 100 without a word, so a page
    shorter than asked says nothing.

    Args:
        payload: the body of the answer.
        cursor: what was asked for, "" for the first page.

    Raises:
        BadAnswer: the answer is no page, or leads nowhere new.
    """
    try:
        if cursor.startswith(OFFSET):
            objects = _bytes_of(_decode_list(payload))
            reached = int(cursor.removeprefix(OFFSET)) + len(objects)
            return Page(objects, f"{OFFSET}{reached}" if objects else None)
        envelope = _decode_envelope(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswer(VENUE, reason=f"{error}, found {payload[:200]!r} ({len(payload)} bytes)") from error
    # A parameter that Gamma does not know is ignored, and then every page is the first.
    if envelope.next_cursor and envelope.next_cursor == cursor:
        raise BadAnswer(VENUE, reason=f"cursor did not advance: {cursor!r}")
    return Page(_bytes_of(envelope.markets), envelope.next_cursor or None)


def _bytes_of(objects: list[msgspec.Raw]) -> list[bytes]:
    return [bytes(raw) for raw in objects]


def read_market(raw: bytes, received_ns: int) -> Market:
    """
    Return a market as Gamma tells it; what it leaves out is None, or empty where a record must have a text.

    Raises:
        ValueError: the object is no market, or a part of it is not what it should be.
    """
    told = _decode_market(raw)
    return Market(
        venue=VENUE,
        symbol=told.slug or "",
        received_ns=received_ns,
        event_ns=nanoseconds(told.updated_at),
        market_id=told.id,
        condition_id=told.condition_id or "",
        question=told.question or "",
        slug=told.slug or "",
        outcomes=_texts(told.outcomes),
        # Markets of the second protocol name their tokens by another key, and as a real array.
        token_ids=(told.version == "v2" and told.position_ids)
        or _texts(told.clob_token_ids)
        or told.position_ids
        or (),
        neg_risk=told.neg_risk,
        neg_risk_market_id=told.neg_risk_market_id or "",
        event_id=told.events[0].id if told.events else "",  # no market was ever seen in two
        active=told.active,
        closed=told.closed,
        created_ns=nanoseconds(told.created_at),
        end_ns=nanoseconds(told.end_date or told.end_date_iso),
        closed_ns=nanoseconds(told.closed_time),
        volume=_decimal(told.volume, told.volume_num),
        liquidity=_decimal(told.liquidity, told.liquidity_num),
    )


def nanoseconds(text: str | None) -> int | None:
    """
    Return a time since the epoch; a time without a zone is UTC.

    Gamma writes four shapes: `2025-03-26T14:44:34.145447Z` (zeros at the end cut off), `2026-03-31T12:00:00Z`,
    `2026-03-31`, `2026-07-24 00:00:16+00`. Times that cannot be (Go's year 1 for "not set", year 9999 for "never") are
    None.

    Raises:
        ValueError: the text is no time.
    """
    if not text:
        return None
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return (at - _EPOCH) // _MICROSECOND * 1000 if _EPOCH.year <= at.year <= _LATEST_YEAR else None


def _texts(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return a list that Gamma sends as JSON text inside a string."""
    return (_decode_texts(value) or ()) if isinstance(value, str) and value else tuple(value or ())


def _decimal(*candidates: msgspec.Raw) -> str | None:
    """Return the digits of the first that is there, as they came; only an exponent is written out, losing none."""
    for raw in candidates:
        text = bytes(raw).decode().strip('"')
        if text in ("", "null"):
            continue
        if _PLAIN.fullmatch(text):
            return text
        exact = Decimal(text)
        if not exact.is_finite():
            raise ValueError(f"expected a number, found {text}")
        return f"{exact:f}"
    return None
