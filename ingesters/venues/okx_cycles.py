"""
What OKX is asked for by HTTP, on a grid: the 5000-level book, the order book, the candle and the ticker of a symbol.

The four answers of a cycle share one time, the ticker's. The grid is that of the clock, spread evenly over the symbols,
so that no answer's delay moves it. A symbol whose cycle has not ended when its next is due skips that one, and says so.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_S, utc_text
from common.records import EventKind, FeedEvent
from ingesters.feed import Checkpoint, Fetch, Step, Wake
from ingesters.venues.okx_cycle import Cycle, Part
from ingesters.venues.okx_wire import IN_WORDS, VENUE

# The venue allows one address 10 `books-full`, 20 tickers, 40 books and 40 candles in 2 s. Of a budget of 100 in 2 s
# a cycle costs 20, and a sixth `books-full` never has room: half of what the narrowest limit lets through.
WEIGHTS: dict[Part, int] = {"books-full": 17, "books": 1, "candles": 1, "ticker": 1}
WAKE = "books-full"
STATE = "okx_books_full"


class Done(msgspec.Struct):
    """Until when each symbol's cycles have been completed, on a grid of so many ns."""

    interval_ns: int
    until_ns: dict[str, int] = {}


_decode_done = msgspec.json.Decoder(Done).decode


class Cycles:
    """The grid of all symbols, and the cycle of each that is under way; `state` is what an earlier run has done."""

    def __init__(self, rest_url: str, interval_s: float, symbols: Sequence[str], state: str) -> None:
        self._rest_url = rest_url
        self._interval_ns = round(interval_s * NS_PER_S)
        done = _decode_done(state) if state else Done(self._interval_ns)
        self._done = done if done.interval_ns == self._interval_ns else Done(self._interval_ns)
        self._symbols: tuple[str, ...] = tuple(symbols)
        self._due_ns: dict[str, int] = {}
        self._running: dict[str, Cycle] = {}
        self._late: set[str] = set()
        self._refused: set[str] = set()
        self._generation = 0

    def choose(self, symbols: Sequence[str]) -> Iterator[Step]:
        """Take a new choice of symbols: everybody's place on the grid is found again."""
        self._symbols = tuple(symbols)
        self._due_ns = {}
        self._running = {symbol: cycle for symbol, cycle in self._running.items() if symbol in symbols}
        self._refused &= set(symbols)
        self._done.until_ns = {symbol: at_ns for symbol, at_ns in self._done.until_ns.items() if symbol in symbols}
        self._generation += 1
        yield Wake(self._key, 0.0)

    def opening(self) -> Wake:
        """Return the question for the time: the grid is the clock's."""
        return Wake(self._key, 0.0)

    def wake(self, key: str, now_ns: int) -> Iterator[Step]:
        """Begin what is due, and be woken for the next."""
        if key != self._key or not self._symbols:
            return
        for place, symbol in enumerate(self._symbols):
            due_ns = self._due_ns.get(symbol)
            next_ns = self._next_ns(place, now_ns)
            if due_ns is not None and due_ns <= now_ns:
                yield from self._begin(symbol, due_ns, next_ns, now_ns)
            self._due_ns[symbol] = next_ns
        yield Wake(self._key, max(0.001, (min(self._due_ns.values()) - now_ns) / NS_PER_S))

    def answer(self, part: Part, symbol: str, payload: bytes, received_ns: int) -> Iterator[Step]:
        """Say what an answer means: the last one of a cycle makes its records."""
        cycle = self._running.get(symbol)
        if cycle is None:  # the symbol is not wanted any more
            return
        cycle.put(part, payload, received_ns)
        if not cycle.is_complete:
            return
        if outdated := cycle.outdated():
            yield from (self._request(old, symbol) for old in outdated)
            return
        del self._running[symbol]
        yield from cycle.records()
        self._done.until_ns[symbol] = cycle.due_ns
        yield Checkpoint("book_snapshots", {STATE: msgspec.json.encode(self._done).decode()})
        if symbol in self._late:
            self._late.discard(symbol)
            yield self._event("resync", symbol, cycle.started_ns, received_ns)

    def refuse(self, symbol: str) -> None:
        """Hear that the venue will not tell: ask no more for this symbol until it is chosen again."""
        self._running.pop(symbol, None)
        self._refused.add(symbol)

    @property
    def _key(self) -> str:
        return f"{WAKE}@{self._generation}"

    def _next_ns(self, place: int, now_ns: int) -> int:
        phase_ns = place * self._interval_ns // len(self._symbols)
        return now_ns + self._interval_ns - (now_ns - phase_ns) % self._interval_ns

    def _begin(self, symbol: str, due_ns: int, next_ns: int, now_ns: int) -> Iterator[Step]:
        if symbol in self._refused:
            return
        if (cycle := self._running.get(symbol)) is not None:
            self._late.add(symbol)
            yield self._event(
                "stale",
                symbol,
                cycle.started_ns,
                now_ns,
                expected=utc_text(due_ns),
                detail=f"no cycle at this time: the one before still waits for {', '.join(cycle.missing)}",
            )
            return
        last_due_ns = next_ns - self._interval_ns
        yield from self._fallen_out(symbol, self._done.until_ns.get(symbol, due_ns - self._interval_ns), last_due_ns)
        cycle = self._running[symbol] = Cycle(symbol, last_due_ns, now_ns)
        yield from (self._request(part, symbol) for part in cycle.missing)

    def _fallen_out(self, symbol: str, done_ns: int, due_ns: int) -> Iterator[FeedEvent]:
        """Tell the cycles between the last that was completed and this one; a new choice of symbols moves the grid."""
        missing = round((due_ns - done_ns) / self._interval_ns) - 1
        if missing > 0 and symbol not in self._late:
            detail = f"{missing} cycles of {self._interval_ns / NS_PER_S:g} s fell out: not running, or not connected"
            yield self._event(
                "gap", symbol, done_ns, due_ns, expected=utc_text(done_ns + self._interval_ns), detail=detail
            )

    def _request(self, part: Part, symbol: str) -> Fetch:
        return Fetch(
            key=f"{part}:{symbol}",
            url=f"{self._rest_url}/api/v5/market/{part}?instId={quote(symbol)}{Cycle.QUERIES[part]}",
            weight=WEIGHTS[part],
            accept=IN_WORDS,
        )

    def _event(
        self, kind: EventKind, symbol: str, from_ns: int, to_ns: int, *, expected: str = "", detail: str = ""
    ) -> FeedEvent:
        return FeedEvent(
            VENUE,
            symbol,
            to_ns,
            channel="books-full",
            kind=kind,
            from_ns=from_ns,
            to_ns=to_ns,
            expected=expected,
            detail=detail,
        )
