"""
Missing trades of OKX, asked for by HTTP from the newest to the oldest, each hole until nothing more of it can be had.

What is still open is kept with the trades that were had of it, in one transaction: a kill in the middle goes on from
there, and no trade is stored twice. https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_S
from common.records import EventKind, FeedEvent, Trade
from common.wishes import Wish
from ingesters.feed import Checkpoint, Fetch, Step
from ingesters.venues.okx_holes import Hole, Part
from ingesters.venues.okx_records import trade_of
from ingesters.venues.okx_wire import IN_WORDS, PROGRAM, VENUE, TradeRow
from ingesters.venues.wishes import Wishes, without

STATE, SETTLED = "okx_backfill", "okx_settled"
KEY = "history-trades:"
PAGE = 100
WEIGHT = 5  # of 100 in 2 s: no more than the 20 pages that the venue allows
FIRST_PAUSE_S = 2.0  # the newest trades are not in the history at once, and some come late by themselves
LATER_PAUSE_S = 5.0
MOST_TRIES = 3

_HOLES = msgspec.json.Decoder(dict[str, list[Hole]])


class Limits(NamedTuple):
    """Where trades are asked for, and how old they may be."""

    rest_url: str
    longest_ns: int


class Backfill:
    """The holes of all symbols; one question at a time for each of them."""

    def __init__(self, limits: Limits, state: str, settled: str = "") -> None:
        self._limits = limits
        self.wishes = Wishes(PROGRAM, settled)
        self._holes: defaultdict[str, list[Hole]] = defaultdict(list)
        self._holes.update(_HOLES.decode(state) if state else {})
        self._asked: dict[str, tuple[Hole, int]] = {}  # and below which id

    def opening(self) -> Iterator[Step]:
        """Go on with what an earlier run has left."""
        for symbol in [symbol for symbol, holes in self._holes.items() if holes]:
            yield from self._ask(symbol, pause_s=0.0)

    def open(self, symbol: str, hole: Hole, received_ns: int) -> Iterator[Step]:
        """Take a hole, and ask for it; what an earlier hole of the symbol covers already is not taken twice."""
        for known in self._holes[symbol]:
            for start, stop in known.missing:
                hole.fill(start, stop - 1)
        hole.total, hole.found = sum(stop - start for start, stop in hole.missing), 0
        hole.settles = (hole.missing[0][0], hole.missing[-1][1]) if hole.missing else None
        if not hole.missing:
            return
        if not self._limits.longest_ns:
            yield _event(symbol, received_ns, hole, "gap", "not fetched again: BACKFILL_MAX_S=0")
            return
        holes = self._holes[symbol]
        holes.insert(sum(not known.wish for known in holes), hole)  # before what somebody wishes
        yield self.checkpoint
        yield from self._ask(symbol, pause_s=FIRST_PAUSE_S)

    @property
    def wished(self) -> set[str]:
        """Return the names of the wishes under way."""
        return {hole.wish for holes in self._holes.values() for hole in holes if hole.wish}

    def want(self, wish: Wish, ids: Part, received_ns: int) -> Iterator[Step]:
        """Take a wish whose ids are known: what stands, or is being looked for already, is not asked for."""
        symbol, ids = wish.symbol, (ids[0], max(ids))
        known = [part for hole in self._holes[symbol] for part in (hole.settles or (0, 0), *hole.missing)]
        missing = without(ids, (*wish.standing, *known, *self.wishes.settled(symbol)))
        total = sum(stop - start for start, stop in missing)
        hole = Hole(missing=missing, from_ns=wish.from_ns, to_ns=wish.to_ns, total=total, wish=wish.id, settles=ids)
        self._holes[symbol].append(hole)
        yield from self._close_filled(symbol, received_ns)
        yield self.checkpoint
        if self._holes[symbol]:
            yield from self._ask(symbol, pause_s=0.0)

    def refuse_wish(self, wish: Wish, reason: str, received_ns: int) -> Iterator[Step]:
        """Leave a wish that the venue does not grant."""
        hole = Hole(missing=[], from_ns=wish.from_ns, to_ns=wish.to_ns, total=0, wish=wish.id)
        self.wishes.settle(wish.symbol, (), wish.id)
        yield _event(wish.symbol, received_ns, hole, "gap", reason)
        yield self.checkpoint

    def take_late(self, symbol: str, first: int, last: int) -> bool:
        """Return whether a late trade was missing; then it is missing no more."""
        hole = next((hole for hole in self._holes[symbol] if hole.has(first, last)), None)
        if hole is None:
            return False
        hole.fill(first, last)
        return True

    def late(self, symbol: str, received_ns: int) -> Iterator[Step]:
        """Say what to do after a late trade."""
        yield from self._close_filled(symbol, received_ns)
        yield self.checkpoint

    def page(self, symbol: str, rows: list[TradeRow], received_ns: int) -> Iterator[Step]:
        """Say what a page of trades, newest first, is good for, and what to ask next."""
        trades = [trade_of(row, received_ns) for row in reversed(rows)]
        if symbol not in self._asked:
            return
        hole, below = self._asked.pop(symbol)
        oldest_ns = received_ns - self._limits.longest_ns
        for trade in trades:
            number = int(trade.trade_id)
            if hole.has(number, number) and (hole.wish or trade.event_ns >= oldest_ns):
                hole.fill(number, number)
                hole.from_ns = min(hole.from_ns, trade.event_ns)
                yield msgspec.structs.replace(trade, source="backfill", sequence=None)  # or the mark would fall back
        yield from self._close_filled(symbol, received_ns)
        if hole.missing and hole in self._holes[symbol]:
            yield from self._go_on(symbol, hole, trades, below, received_ns)
        yield self.checkpoint
        if holes := self._holes[symbol]:
            yield from self._ask(symbol, pause_s=LATER_PAUSE_S if holes[0].is_begun_anew else 0.0)

    def refuse(self, symbol: str, reason: str, received_ns: int) -> Iterator[Step]:
        """Hear that the venue will not tell: the holes of the symbol stay."""
        self._asked.pop(symbol, None)
        holes = self._holes.pop(symbol, [])
        for hole in holes:
            self._settle(symbol, hole)
        if holes:
            yield from (_event(symbol, received_ns, hole, "gap", reason) for hole in holes)
            yield self.checkpoint

    @property
    def checkpoint(self) -> Checkpoint:
        """Return what is still open, to be kept with the trades so far."""
        return Checkpoint("trades", {STATE: msgspec.json.encode(self._open).decode(), SETTLED: self.wishes.text})

    @property
    def _open(self) -> Mapping[str, list[Hole]]:
        return {symbol: holes for symbol, holes in self._holes.items() if holes}

    def _ask(self, symbol: str, *, pause_s: float) -> Iterator[Step]:
        if symbol in self._asked:
            return
        hole = self._holes[symbol][0]
        self._asked[symbol] = hole, hole.below
        query = f"instId={quote(symbol)}&type=1&after={hole.below}&limit={PAGE}"
        url = f"{self._limits.rest_url}/api/v5/market/history-trades?{query}"
        yield Fetch(f"{KEY}{symbol}", url, after_s=pause_s, weight=WEIGHT, accept=IN_WORDS)

    def _go_on(self, symbol: str, hole: Hole, trades: list[Trade], below: int, received_ns: int) -> Iterator[Step]:
        """See whether the rest of a hole is older than the page, and whether it can be had at all."""
        oldest = int(trades[0].trade_id) if trades else None
        if hole.wish and oldest is None:
            hole.end_above(below)
            if not hole.missing:
                yield from self._close_filled(symbol, received_ns)
                return
        if trades and not hole.wish and trades[0].event_ns < received_ns - self._limits.longest_ns:
            reason = f"the rest is older than BACKFILL_MAX_S={self._limits.longest_ns // NS_PER_S}"
        elif oldest is not None and hole.first < oldest < below:
            hole.cursor = oldest
            return
        elif hole.tries + 1 < MOST_TRIES:
            hole.tries, hole.cursor = hole.tries + 1, None
            return
        else:
            reason = "the venue does not have the rest"
        self._holes[symbol].remove(hole)
        self._settle(symbol, hole)
        yield _event(symbol, received_ns, hole, "gap", reason)

    def _close_filled(self, symbol: str, received_ns: int) -> Iterator[Step]:
        for hole in [hole for hole in self._holes[symbol] if not hole.missing]:
            self._holes[symbol].remove(hole)
            self._settle(symbol, hole)
            yield _event(symbol, received_ns, hole, "backfilled", "")

    def _settle(self, symbol: str, hole: Hole) -> None:
        """Remember which ids were had: they may be on their way to ClickHouse still."""
        had = without(hole.settles, hole.missing) if hole.settles else ()
        self.wishes.settle(symbol, had, hole.wish)


def _event(symbol: str, received_ns: int, hole: Hole, kind: EventKind, detail: str) -> FeedEvent:
    return FeedEvent(
        VENUE,
        symbol,
        received_ns,
        channel="trades",
        kind=kind,
        from_ns=hole.from_ns,
        to_ns=hole.to_ns,
        expected=str(hole.total),
        found=str(hole.found),
        detail=": ".join(filter(None, (f"wish {hole.wish}" if hole.wish else "", detail))),
    )
