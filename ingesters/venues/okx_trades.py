"""
The numbering of OKX's trades: dense per instrument, so that ids tell repeats, holes and late ones apart.

Each subscription begins with the most recent trade again, however old. A message of `trades` sums up `count` matches
and carries the id of the last; one of `trades-all` is a single match.
"""

from collections.abc import Iterable, Iterator

import msgspec

from common.records import EventKind, FeedEvent, Trade
from ingesters.feed import Step
from ingesters.venues.latest import Latest
from ingesters.venues.okx_backfill import Backfill
from ingesters.venues.okx_holes import Hole
from ingesters.venues.okx_wire import VENUE


class TradeSequence:
    """
    One symbol's trades, each once.

    `mark` is the largest id that is stored, None if there is none. An id that is not larger than the last one is late
    if it is missing; the first of a new numbering if it happened clearly after the last one (for a mark: after this
    connection heard its first trade); else a repeat.
    """

    def __init__(self, symbol: str, channel: str, *, mark: int | None, backfill: Backfill) -> None:
        self.channel = channel  # the same trades told twice, summed up and singly: the channel heard first counts
        self.next = None if mark is None else mark + 1
        self._latest = Latest()
        self._symbol = symbol
        self._backfill = backfill
        self._was_away = False

    def leave(self) -> None:
        """Hear that the symbol is not wanted any more: what happens until it is again is no hole."""
        self._was_away = True

    def hear(self, trade: Trade, first: int) -> Iterable[Step]:
        """Return a trade that covers the ids from `first` to its own unless it is a repeat, with what they tell."""
        last = int(trade.trade_id)
        if self.next is None or first == self.next or (self._was_away and first > self.next):
            self._stand_at(trade, last)
            return (trade,)
        return self._out_of_turn(trade, first, last, expected=self.next)

    def _stand_at(self, trade: Trade, last: int) -> None:
        self._latest.stand_at(trade.event_ns)
        self.next, self._was_away = last + 1, False

    def _out_of_turn(self, trade: Trade, first: int, last: int, *, expected: int) -> Iterator[Step]:
        if last >= expected:  # if it begins before, a part of it was told already: the rest is fetched singly
            stop = first if first > expected else last + 1
            yield from self._hole(trade, expected, stop)
            self._stand_at(trade, last)
            if first > expected:
                yield trade
        elif self._latest.is_passed_by(trade.event_ns, trade.received_ns):
            detail = "the venue began its trade ids again"
            yield self._event(trade, "resync", expected, detail=detail)
            yield from self._backfill.refuse(self._symbol, detail, trade.received_ns)
            self._backfill.wishes.forget(self._symbol)
            self._stand_at(trade, last)
            yield trade
        elif self._backfill.take_late(self._symbol, first, last):
            # Without a sequence, for the mark of what is stored is the sequence stored last: it must not fall back.
            yield msgspec.structs.replace(trade, sequence=None)
            yield from self._backfill.late(self._symbol, trade.received_ns)

    def _hole(self, trade: Trade, expected: int, stop: int) -> Iterator[Step]:
        """Tell a hole at once. It is kept before the trade behind it is: a kill between the two loses nothing."""
        event = self._event(trade, "gap", expected)
        yield event
        hole = Hole(missing=[(expected, stop)], from_ns=event.from_ns, to_ns=event.to_ns, total=stop - expected)
        yield from self._backfill.open(self._symbol, hole, trade.received_ns)

    def _event(self, trade: Trade, kind: EventKind, expected: int, *, detail: str = "") -> FeedEvent:
        from_ns = trade.event_ns if self._latest.at_ns is None else self._latest.at_ns
        return FeedEvent(
            VENUE,
            self._symbol,
            trade.received_ns,
            channel="trades",
            kind=kind,
            from_ns=min(trade.event_ns, from_ns),
            to_ns=trade.event_ns,
            expected=str(expected),
            found=trade.trade_id,
            detail=detail,
        )
