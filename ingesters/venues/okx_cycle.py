"""Four answers about one symbol, put together under one time."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple

import msgspec

from common.clock import NS_PER_S
from common.errors import BadAnswer
from common.records import Bar, BookSnapshot, Record, Ticker
from ingesters.venues.okx_records import bar_of, ticker_of, top_of
from ingesters.venues.okx_wire import BOOK_ANSWER, CANDLE_ANSWER, TICKER_ANSWER, VENUE

Part = Literal["books-full", "books", "candles", "ticker"]
BAR = "1m"
DEPTHS: dict[Part, int] = {"books-full": 5000, "books": 400}
WIDEST_NS = 10 * NS_PER_S  # what is older than the newest answer by more does not belong under one time with it


class Got(NamedTuple):
    """One answer, and when it came."""

    records: Sequence[BookSnapshot | Bar | Ticker]
    received_ns: int


class Cycle:
    """The answers so far."""

    # The venue's defaults are 1 level; two candles, so that the one that has closed comes too.
    QUERIES: ClassVar[dict[Part, str]] = {
        "books-full": "&sz=5000",
        "books": "&sz=400",
        "candles": f"&bar={BAR}&limit=2",
        "ticker": "",
    }

    def __init__(self, symbol: str, due_ns: int, started_ns: int) -> None:
        self.due_ns = due_ns
        self.started_ns = started_ns
        self._symbol = symbol
        self._got: dict[Part, Got] = {}

    @property
    def missing(self) -> tuple[Part, ...]:
        """Return what has not been answered."""
        return tuple(part for part in self.QUERIES if part not in self._got)

    @property
    def is_complete(self) -> bool:
        """Return whether everything has been answered."""
        return len(self._got) == len(self.QUERIES)

    def put(self, part: Part, payload: bytes, received_ns: int) -> None:
        """
        Take an answer.

        Raises:
            BadAnswer: it holds nothing.
        """
        records = self._read(part, payload, received_ns)
        if not records and part != "candles":  # what was never traded has none
            raise BadAnswer(VENUE, reason=f"{part} of {self._symbol}: no data")
        self._got[part] = Got(records, received_ns)

    def outdated(self) -> tuple[Part, ...]:
        """Take out and return what is too old to stand beside the newest answer."""
        newest_ns = max(got.received_ns for got in self._got.values())
        old = tuple(part for part, got in self._got.items() if newest_ns - got.received_ns > WIDEST_NS)
        for part in old:
            del self._got[part]
        return old

    def records(self) -> Iterator[Record]:
        """Yield what was answered, under the ticker's time."""
        event_ns = self._got["ticker"].records[0].event_ns
        for part in self.QUERIES:
            for record in self._got[part].records:
                yield msgspec.structs.replace(record, event_ns=event_ns)

    def _read(self, part: Part, payload: bytes, received_ns: int) -> Sequence[BookSnapshot | Bar | Ticker]:
        match part:
            case "ticker":
                return [ticker_of(row, received_ns) for row in TICKER_ANSWER.decode(payload).data]
            case "candles":  # newest first
                rows = CANDLE_ANSWER.decode(payload).data[::-1]
                return [bar_of(row, self._symbol, received_ns, interval=BAR) for row in rows]
            case "books" | "books-full":
                books = BOOK_ANSWER.decode(payload).data
                tops = [top_of(book, self._symbol, received_ns, DEPTHS[part]) for book in books]
                return [msgspec.structs.replace(top, source="rest") for top in tops]
