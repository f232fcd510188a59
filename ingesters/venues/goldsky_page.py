"""
What an answer of the subgraph says: refused whole, or read row by row.

It holds the fields that the question names and no others, so there are no unknown ones to look for.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, NamedTuple

import msgspec

from common.errors import BadAnswer

PAGE_ROWS = 1000  # the most that graph-node serves at once
VENUE = "goldsky"

_QUERY = """query P($ts: BigInt!, $id: ID!, $n: Int!) {%s
  orderFilledEvents(first: $n, orderBy: timestamp, orderDirection: asc,
    where: { or: [ {timestamp_gt: $ts}, {timestamp: $ts, id_gt: $id} ] }) {
    id transactionHash timestamp orderHash maker taker
    makerAssetId takerAssetId makerAmountFilled takerAmountFilled fee } }"""
_HEAD = "\n  _meta { block { number hash timestamp } hasIndexingErrors deployment }"


class Cursor(NamedTuple):
    """
    A place in the order of events: seconds since the epoch, then id.

    Hundreds of fills share one second, so a cursor on the time alone loses those that did not fit the page. graph-node
    breaks ties by id in the direction of the sort, which makes the pair exact.
    """

    timestamp: int
    id: str


class _Place(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What of an event tells where it stands."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    timestamp: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,10}$")]

    @property
    def cursor(self) -> Cursor:
        """Return its place in the order of events."""
        return Cursor(int(self.timestamp), self.id)


class Row(_Place, frozen=True, gc=False, rename="camel"):
    """An orderFilledEvent; all its numbers are JSON strings."""

    transaction_hash: str
    order_hash: str
    maker: str
    taker: str
    maker_asset_id: str
    taker_asset_id: str
    maker_amount_filled: str
    taker_amount_filled: str
    fee: str


class Odd(NamedTuple):
    """Another thing in the place of a row: its bytes, what is wrong with it, and where it stands if it says so."""

    raw: bytes
    reason: str
    cursor: Cursor | None


class Block(msgspec.Struct, frozen=True):
    """The newest block that the subgraph has indexed; older graph-nodes leave its time out."""

    number: int
    hash: str | None = None
    timestamp: int | None = None


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """How far the subgraph has come, and whether it says that something is missing."""

    block: Block
    has_indexing_errors: bool
    deployment: str = ""


class _Error(msgspec.Struct):
    message: str = ""


class _Envelope(msgspec.Struct, rename="camel"):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Error] | None = None


class _Asked(msgspec.Struct, rename={"order_filled_events": "orderFilledEvents", "head": "_meta"}):
    order_filled_events: list[msgspec.Raw]
    head: Head | None = None


class _HeadOnly(msgspec.Struct, rename={"head": "_meta"}):
    head: Head | None = None


class Page(NamedTuple):
    """An answer: rows in order, or what the subgraph complained about (then it has no rows, whatever it sent)."""

    rows: list[Row]
    head: Head | None
    complaint: str = ""
    odd: Sequence[Odd] = ()

    @property
    def is_full(self) -> bool:
        """Return whether there may be more behind it."""
        return len(self.rows) + len(self.odd) >= PAGE_ROWS

    @property
    def last(self) -> Cursor | None:
        """Return the furthest place of all rows; an odd one without a place stands before the next that has one."""
        return max(places_of(self.rows, self.odd), default=None)

    def leads(self, after: Cursor) -> Cursor | None:
        """Return the furthest place if it is behind another one."""
        return self.last if self.last and self.last > after else None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ROW = msgspec.json.Decoder(Row)
_PLACE = msgspec.json.Decoder(_Place)
_ASKED = msgspec.json.Decoder(_Asked)
_HEAD_ONLY = msgspec.json.Decoder(_HeadOnly | None)


def question(after: Cursor, *, with_head: bool) -> bytes:
    """Return the body that asks for the page behind a place; numbers beyond 32 bits travel as strings."""
    return msgspec.json.encode(
        {
            "query": _QUERY % (_HEAD if with_head else ""),
            "variables": {"ts": str(after.timestamp), "id": after.id, "n": PAGE_ROWS},
        }
    )


def read_page(payload: bytes) -> Page:
    """
    Return what an answer says. Errors come with status 200, sometimes beside data: such data is not taken.

    Raises:
        BadAnswer: the body is cut off, or not of the shape that was asked for, or out of order.
    """
    try:
        envelope = _ENVELOPE.decode(payload)
        if envelope.errors:
            found = _HEAD_ONLY.decode(envelope.data)
            complaint = "; ".join(error.message for error in envelope.errors)[:500] or "errors without a message"
            return Page([], head=found.head if found else None, complaint=complaint)
        asked = _ASKED.decode(envelope.data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadAnswer(VENUE, reason=f"{error}, found {payload[:100]!r} ({len(payload)} bytes)") from error
    found = [_read_row(raw) for raw in asked.order_filled_events]
    _require_order(found)
    odd = [row for row in found if isinstance(row, Odd)]
    return Page([row for row in found if isinstance(row, Row)], head=asked.head, odd=odd)


def _read_row(raw: msgspec.Raw) -> Row | Odd:
    try:
        return _ROW.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return Odd(bytes(raw), str(error), _cursor_of(raw))


def _cursor_of(raw: msgspec.Raw) -> Cursor | None:
    try:
        return _PLACE.decode(raw).cursor
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _require_order(rows: list[Row | Odd]) -> None:
    """Equal neighbours are a repeat; anything else that does not ascend means that a cursor would skip events."""
    placed = ((row, row.cursor) for row in rows if row.cursor)
    for (earlier, before), (later, after) in pairwise(placed):
        if after <= before and later != earlier:
            raise BadAnswer(VENUE, reason=f"expected rows in order, found {after} after {before}")


def places_of(rows: Sequence[Row], odd: Sequence[Odd]) -> list[Cursor]:
    """Return all places that are told, in no order."""
    return [row.cursor for row in rows] + [row.cursor for row in odd if row.cursor]


def rows_beyond(rows: list[Row], after: Cursor) -> list[Row]:
    """Return the rows behind a place, each once: a repeat is not new."""
    return [row for row in {row.id: row for row in rows}.values() if row.cursor > after]
