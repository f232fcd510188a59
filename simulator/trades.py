"""Trades as a REST endpoint gives them out: sorted by id, asked for by id or by time."""

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import NamedTuple

from simulator.ledger import Fact


class TradeRow(NamedTuple):
    """One row of an answer; `position` says when it happened in its session (0 = before the session)."""

    trade_id: int
    time_ms: int
    position: int
    raw: bytes
    fact: Fact


@dataclass(frozen=True)
class TradeQuery:
    """Which trades are wanted; None = not asked."""

    limit: int
    from_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


def _row_id(row: TradeRow) -> int:
    return row.trade_id


class TradeStore:
    """The trades of one symbol, once per id."""

    def __init__(self, most_rows: int | None = None) -> None:
        self._rows: list[TradeRow] = []
        self._most_rows = most_rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_streamed(self) -> bool:
        """Return whether any row was told by a stream, and not by answers alone."""
        return any(row.position for row in self._rows)

    @property
    def first_id(self) -> int:
        """Return the smallest id."""
        return self._rows[0].trade_id

    def add(self, row: TradeRow) -> None:
        """Keep a trade; the first one of an id wins."""
        if not self._rows or row.trade_id > self._rows[-1].trade_id:
            self._rows.append(row)
        else:
            index = bisect_left(self._rows, row.trade_id, key=_row_id)
            if self._rows[index].trade_id != row.trade_id:
                insort(self._rows, row, key=_row_id)
        if self._most_rows and len(self._rows) > 2 * self._most_rows:
            del self._rows[: -self._most_rows]

    def page(self, query: TradeQuery, position: int) -> list[TradeRow]:
        """Return the rows that had happened at a position: from an id, from a time, or the newest ones."""
        if query.from_id is not None:
            start = bisect_left(self._rows, query.from_id, key=_row_id)
            return [row for row in self._rows[start : start + query.limit] if row.position <= position]
        rows = [row for row in self._rows if row.position <= position and _is_within(row, query)]
        return rows[: query.limit] if query.start_ms is not None else rows[-query.limit :]


def _is_within(row: TradeRow, query: TradeQuery) -> bool:
    if query.start_ms is not None and row.time_ms < query.start_ms:
        return False
    return query.end_ms is None or row.time_ms <= query.end_ms
