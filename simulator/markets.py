"""Polymarket markets as Gamma keeps them: the raw JSON of each, and what can be filtered and sorted."""

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

Query = tuple[tuple[str, str], ...]
SortKey = tuple[bool, Any, int]


class Market(msgspec.Struct, gc=False):
    """The fields of a market by which Gamma filters and sorts. Any of them may be missing."""

    id: str
    slug: str | None = None
    conditionId: str | None = None  # noqa: N815  (the venue's names)
    questionID: str | None = None  # noqa: N815
    clobTokenIds: str | None = None  # noqa: N815
    positionIds: list[str] | None = None  # noqa: N815
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    featured: bool | None = None
    createdAt: str | None = None  # noqa: N815
    updatedAt: str | None = None  # noqa: N815
    startDate: str | None = None  # noqa: N815
    endDate: str | None = None  # noqa: N815
    closedTime: str | None = None  # noqa: N815
    volumeNum: float | None = None  # noqa: N815
    liquidityNum: float | None = None  # noqa: N815
    volume24hr: float | None = None
    lastTradePrice: float | None = None  # noqa: N815
    spread: float | None = None


class Row(NamedTuple):
    """One market: its place among the first-seen ones, its fields, its bytes."""

    ordinal: int
    market: Market
    raw: bytes


class Named(msgspec.Struct, gc=False):
    """A market, whatever its other fields are."""

    id: str


_decode_id = msgspec.json.Decoder(Named).decode
_decode = msgspec.json.Decoder(Market).decode
NUMBERS = ("volumeNum", "liquidityNum", "volume24hr", "lastTradePrice", "spread")
TIMES = ("createdAt", "updatedAt", "startDate", "endDate", "closedTime")
ONE_OF = {"id": "id", "slug": "slug", "condition_ids": "conditionId", "question_ids": "questionID"}
FLAGS = ("active", "closed", "archived", "featured")
RANGES = {
    "volume_num": "volumeNum",
    "liquidity_num": "liquidityNum",
    "start_date": "startDate",
    "end_date": "endDate",
}
PAGING = ("limit", "offset", "after_cursor")
KEPT_RESULTS = 16


class BadCursor(Exception):
    """A cursor is not one of ours, or belongs to another query. What next: the client is told so."""


class Markets:
    """All markets, the newest state of each, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._results: dict[Query, list[tuple[SortKey, Row]]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, raw: bytes) -> None:
        """Take a market's bytes as they are; the last ones of an id win, its place stays."""
        market = _read(raw)
        known = self._rows.get(market.id)
        self._rows[market.id] = Row(known.ordinal if known else len(self._rows), market, raw)
        self._results.clear()

    def ids(self) -> list[str]:
        """Return all ids in first-seen order."""
        return list(self._rows)

    def find(self, name: str, value: str) -> Row | None:
        """Return the market whose `id` or `slug` is the given one."""
        if name == "id":
            return self._rows.get(value)
        return next((row for row in self._rows.values() if row.market.slug == value), None)

    def page(self, query: Query, offset: int, limit: int) -> list[Row]:
        """Return one page by offset."""
        return [row for _, row in self._result(query)[offset : offset + limit]]

    def page_after(self, query: Query, cursor: str, limit: int) -> tuple[list[Row], str]:
        """
        Return one page behind a cursor ("" = from the start) and the next cursor ("" = the end).

        Raises:
            BadCursor: the cursor is not one that this query gave.
        """
        result = self._result(query)
        print_of_query = _fingerprint(query)
        start = 0
        if cursor:
            start = bisect_right(result, _key_of(cursor, print_of_query), key=lambda pair: pair[0])
        page = result[start : start + limit]
        more = start + limit < len(result)
        return [row for _, row in page], _cursor(print_of_query, page[-1][0]) if more else ""

    def _result(self, query: Query) -> list[tuple[SortKey, Row]]:
        asked = tuple(sorted(pair for pair in query if pair[0] not in PAGING))
        if asked not in self._results:
            if len(self._results) >= KEPT_RESULTS:
                self._results.clear()
            key = _sort_key(dict(query))
            rows = (row for row in self._rows.values() if _matches(row.market, asked))
            self._results[asked] = sorted(((key(row), row) for row in rows), key=lambda pair: pair[0])
        return self._results[asked]


def _read(raw: bytes) -> Market:
    """Return a market by which to sort and filter; one with a field of another type has its id alone."""
    try:
        return _decode(raw)
    except msgspec.ValidationError:
        return Market(_decode_id(raw).id)


def _sort_key(query: dict[str, str]) -> Callable[[Row], SortKey]:
    # The venue sorts descending unless told otherwise, and ignores names that it does not know.
    field = query.get("order", "")
    sign = 1 if query.get("ascending", "false").lower() == "true" else -1
    if field == "id":
        return lambda row: (False, sign * int(row.market.id), row.ordinal)
    if field in NUMBERS or field in TIMES:
        return lambda row: _value_key(_comparable(getattr(row.market, field)), sign, row.ordinal)
    return lambda row: (False, 0, row.ordinal)


def _value_key(value: float | None, sign: int, ordinal: int) -> SortKey:
    return (value is None, 0 if value is None else sign * value, ordinal)


def _comparable(value: float | str | None) -> float | None:
    return moment_s(value) if isinstance(value, str) else value


def moment_s(text: str) -> float | None:
    """Return seconds since 1970 for any of the venue's four shapes of a time."""
    shape = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00(?::00)?)?)?", text)
    if shape is None:
        return None
    day, clock, fraction = shape.groups()
    at = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}").replace(tzinfo=UTC)
    return at.timestamp() + float(fraction or 0)


def _matches(market: Market, query: Query) -> bool:
    wanted: dict[str, set[str]] = {}
    for name, value in query:
        wanted.setdefault(name, set()).add(value)
    return all(_passes(market, name, values) for name, values in wanted.items())


def _passes(market: Market, name: str, values: set[str]) -> bool:
    if name in FLAGS:
        return str(bool(getattr(market, name))).lower() in {value.lower() for value in values}
    if name in ONE_OF:
        return getattr(market, ONE_OF[name]) in values
    if name == "clob_token_ids":
        return not values.isdisjoint([*(market.positionIds or ()), *re.findall(r"\d+", market.clobTokenIds or "")])
    field, _, side = name.rpartition("_")
    if side in ("min", "max") and field in RANGES:
        return _is_within(_comparable(getattr(market, RANGES[field])), side, values)
    return True


def _is_within(value: float | None, side: str, bounds: Iterable[str]) -> bool:
    bound = next(iter(bounds))
    limit = float(bound) if re.fullmatch(r"-?\d+(\.\d+)?", bound) else moment_s(bound)
    if value is None or limit is None:
        return False
    return value >= limit if side == "min" else value <= limit


def _fingerprint(query: Query) -> str:
    return repr(sorted(pair for pair in query if pair[0] not in PAGING))


def _cursor(print_of_query: str, key: SortKey) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([print_of_query, key])).decode()


def _key_of(cursor: str, print_of_query: str) -> SortKey:
    try:
        owner, key = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=tuple[str, tuple[bool, Any, int]])
    except (ValueError, msgspec.DecodeError) as error:
        raise BadCursor from error
    if owner != print_of_query:
        raise BadCursor
    return key
