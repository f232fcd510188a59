"""
Trades that the stream of Binance did not bring, asked for by their ids.

A hole is told at once as a `gap`, then filled page by page. What is still missing is written down together with the
trades of each page, so that a kill in the middle neither loses nor repeats one. A history that the operator wants is a
hole too: it begins at the id in the settings and ends where the stream begins.
"""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_S
from common.errors import BadAnswer
from common.records import FeedEvent, Trade
from common.settings import Settings
from common.wishes import Wish
from ingesters.feed import Checkpoint, Fetch, Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_pages import ENDPOINTS, PAGE_ROWS, Row, trade_of
from ingesters.venues.binance_stretch import NO_END, Kind, Stretch
from ingesters.venues.binance_told import histories, told_of
from ingesters.venues.wishes import Wishes, without

STATE, SETTLED = "binance_backfill", "binance_settled"
PROGRAM = "binance_ingester"
KEY = "trades:"
BAD_REQUEST = 400
MOST_STRETCHES = 100
PACE_S = 0.04  # per weight: at most 1500 a minute, a quarter of what the venue allows
EMPTY_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # the answers may lag the stream; after the last the venue has it not
TOO_LONG = "not asked for: longer than BACKFILL_MAX_S"
HISTORY_POLL_S = 30.0  # how often a history is looked after whose stream is silent

_STRETCHES = msgspec.json.Decoder(list[Stretch])


class Backfill:
    """The stretches of missing trades of all symbols; for each symbol one question at most is under way."""

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._url = f"{settings.binance_rest_url}/api/v3/"
        self._longest_ns = int(settings.backfill_max_s * NS_PER_S)
        self._stretches = _STRETCHES.decode(resume.state.get(STATE) or "[]")
        self.wishes = Wishes(PROGRAM, resume.state.get(SETTLED, ""))
        self._asked: dict[str, tuple[Stretch, int]] = {}  # by symbol: for what, and from which id
        for symbol, kind, first in histories(settings):
            if ("trades", symbol) not in resume.marks and not self._of(symbol):
                ids = (first, NO_END)
                history = Stretch.of(symbol, kind, ids, from_ns=None, to_ns=0, is_history=True)
                self._stretches.append(history)

    def opening(self) -> Iterator[Step]:
        """Go on where the last connection stopped."""
        yield from self._ask()

    def history(self, symbol: str) -> Stretch | None:
        """Return the history of a symbol whose stream has not begun; it has the numbering of the stream."""
        return next((one for one in self._of(symbol) if one.is_open_ended), None)

    def begin(self, symbol: str, number: int, *, event_ns: int, received_ns: int) -> Iterator[Step]:
        """Hear of the first trade of a symbol's stream: its history ends there."""
        if history := self.history(symbol):
            history.end_at(max(number, history.next))
            history.to_ns = event_ns
            yield from self._closed(history, received_ns)
            yield self._checkpoint()

    def miss(self, gap: FeedEvent, kind: Kind, ids: range, *, is_time_known: bool) -> Iterator[Step]:
        """Hear of a hole: write it down and ask for it, unless it is too long."""
        if self.history(gap.symbol):
            return  # `begin` ends it behind this very hole
        from_ns = gap.from_ns if is_time_known else None
        stretch = Stretch.of(gap.symbol, kind, (ids.start, ids.stop), from_ns=from_ns, to_ns=gap.to_ns)
        if self._longest_ns == 0 or (from_ns is not None and gap.to_ns - from_ns > self._longest_ns):
            yield told_of(stretch, "gap", gap.received_ns, TOO_LONG)
            return
        self._stretches.append(stretch)
        if len(self._stretches) > MOST_STRETCHES:
            yield told_of(self._pop(self._stretches[0]), "gap", gap.received_ns, "given up: too many holes at once")
        yield self._checkpoint()
        yield from self._ask()

    @property
    def wished(self) -> set[str]:
        """Return the names of the wishes under way."""
        return {one.wish for one in self._stretches if one.wish}

    def want(self, wish: Wish, kind: Kind, ids: tuple[int, int], received_ns: int) -> Iterator[Step]:
        """Take a wish whose ids are known: what stands, or is being looked for already, is not asked for."""
        known = [(one.first, one.stop) for one in self._of(wish.symbol)]
        ids = ids[0], max(ids)
        missing = without(ids, (*wish.standing, *known, *self.wishes.settled(wish.symbol)))
        stretch = Stretch.of(wish.symbol, kind, ids, from_ns=wish.from_ns, to_ns=wish.to_ns, is_history=True)
        stretch.missing, stretch.wish, stretch.total = missing, wish.id, sum(stop - first for first, stop in missing)
        self._stretches.append(stretch)
        yield from self._closed(stretch, received_ns)
        yield self._checkpoint()
        yield from self._ask()

    def refuse(self, wish: Wish, reason: str, received_ns: int) -> Iterator[Step]:
        """Leave a wish that the venue does not grant."""
        ids = wish.below, wish.below
        stretch = Stretch.of(wish.symbol, "trade", ids, from_ns=wish.from_ns, to_ns=wish.to_ns, is_history=True)
        stretch.wish = wish.id
        self._stretches.append(stretch)
        yield from self._give_up(stretch, received_ns, reason)

    def is_missing(self, trade: Trade, number: int) -> bool:
        """Return whether a trade that came late is missed, and count it as found."""
        return any(stretch.take(number) for stretch in self._of(trade.symbol))

    def found(self, trade: Trade) -> Iterator[Step]:
        """Say what the arrival of a trade that was missed means."""
        for stretch in self._of(trade.symbol):
            yield from self._closed(stretch, trade.received_ns)
        yield self._checkpoint()

    def forget(self, symbol: str) -> Iterator[Step]:
        """Ask no more for a symbol whose numbering has begun again: its old ids mean other trades now."""
        if self._of(symbol) or self.wishes.settled(symbol):
            self._stretches = [one for one in self._stretches if one.symbol != symbol]
            self.wishes.forget(symbol)
            yield self._checkpoint()

    def answer(self, frame: Frame, symbol: str) -> Iterator[Step]:
        """
        Say what an answer brought.

        Raises:
            BadAnswer: it is none; the same is asked again.
        """
        stretch, first = self._asked[symbol]
        try:
            refusal = wire.REFUSAL.decode(frame.payload) if frame.status == BAD_REQUEST else None
            rows = [] if refusal else ENDPOINTS[stretch.kind].decode(frame.payload)
        except msgspec.MsgspecError as error:
            raise BadAnswer(wire.VENUE, reason=f"trades of {symbol} from {first}: {error}") from error
        del self._asked[symbol]
        if stretch in self._stretches:
            if refusal:
                yield from self._give_up(stretch, frame.received_ns, f"refused: {refusal.code} {refusal.msg}")
            else:
                yield from self._fill(stretch, first, [row for row in rows if row.id >= first], frame.received_ns)
        yield from self._ask()

    def _fill(self, stretch: Stretch, first: int, rows: list[Row], received_ns: int) -> Iterator[Step]:
        if not rows:
            stretch.empty += 1
            if not stretch.is_open_ended and stretch.empty > len(EMPTY_PAUSES_S):
                yield from self._give_up(stretch, received_ns, "the venue does not have them")
            return
        begins_ns = wire.venue_ns(rows[0].time)
        if not stretch.is_history and stretch.to_ns - begins_ns > self._longest_ns:
            yield from self._give_up(stretch, received_ns, TOO_LONG)
            return
        stretch.from_ns = begins_ns if stretch.from_ns is None else stretch.from_ns
        stretch.empty = int(stretch.is_open_ended and len(rows) < PAGE_ROWS)  # a short page is the end for now
        yield from (trade_of(row, stretch.symbol, received_ns) for row in rows if stretch.take(row.id))
        stretch.cut(first, rows[-1].id + 1)
        yield from self._closed(stretch, received_ns)
        yield self._checkpoint()

    def _closed(self, stretch: Stretch, received_ns: int) -> Iterator[Step]:
        """Yield what became of a stretch if nothing of it is to be looked for any more."""
        if stretch.missing:
            return
        self._pop(stretch)
        yield told_of(stretch, "backfilled", received_ns)
        if stretch.found < (stretch.total if stretch.wish else stretch.stop - stretch.first):
            yield told_of(stretch, "gap", received_ns, "the venue does not have all of them")

    def _give_up(self, stretch: Stretch, received_ns: int, reason: str) -> Iterator[Step]:
        yield told_of(self._pop(stretch), "gap", received_ns, reason)
        yield self._checkpoint()

    def _pop(self, stretch: Stretch) -> Stretch:
        """Look for a stretch no longer; what it brought may be on its way to ClickHouse still."""
        self._stretches.remove(stretch)
        self.wishes.settle(stretch.symbol, () if stretch.is_open_ended else stretch.had, stretch.wish)
        return stretch

    def _ask(self) -> Iterator[Fetch]:
        """Yield the next question of every symbol that has none under way: holes go before histories."""
        for stretch in sorted(self._stretches, key=lambda one: one.is_history):
            if stretch.symbol not in self._asked:
                self._asked[stretch.symbol] = stretch, stretch.next
                endpoint = ENDPOINTS[stretch.kind]
                asked = f"symbol={quote(stretch.symbol)}&fromId={stretch.next}&limit={PAGE_ROWS}"
                yield Fetch(
                    key=f"{KEY}{stretch.symbol}",
                    url=f"{self._url}{endpoint.path}?{asked}",
                    after_s=max(endpoint.weight * PACE_S * len(self._asked), _pause_s(stretch)),
                    weight=endpoint.weight,
                    accept=(BAD_REQUEST,),
                )

    def _of(self, symbol: str) -> list[Stretch]:
        return [one for one in self._stretches if one.symbol == symbol]

    def _checkpoint(self) -> Checkpoint:
        stretches = msgspec.json.encode(self._stretches).decode()
        return Checkpoint("trades", {STATE: stretches, SETTLED: self.wishes.text})


def _pause_s(stretch: Stretch) -> float:
    if not stretch.empty:
        return 0.0
    return HISTORY_POLL_S if stretch.is_open_ended else EMPTY_PAUSES_S[stretch.empty - 1]
