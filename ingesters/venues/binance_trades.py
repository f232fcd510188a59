"""The numbering of Binance's trades: dense per symbol, so that the id tells a repeat, a hole and a late one apart."""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from common.records import EventKind, FeedEvent, Trade
from ingesters.feed import Step
from ingesters.venues.binance_wire import RESET_MARGIN_NS, VENUE, TradeKind

MAX_HOLES = 100


class TradeSequence:
    """
    One symbol's trades, each once.

    `mark` is the largest id that is stored, None if there is none. An id that is not larger than the last one is

    - a late trade if it falls into a hole that this connection saw;
    - the first of a new numbering if it happened clearly after the last one (Binance's testnet begins again each
      month). After a restart only the number of the last one is known; but it was stored before this connection heard
      its first trade, so that moment stands in for its time;
    - else a repeat. That is the answer in doubt: to an old session that is played again, and in the two seconds after
      a restart that fell together with a new numbering.
    """

    def __init__(self, mark: int | None, kind: TradeKind) -> None:
        self.kind = kind
        self.next = None if mark is None else mark + 1
        self.last_event_ns: int | None = None  # unknown for a mark
        self._holes: deque[range] = deque(maxlen=MAX_HOLES)

    def hear(self, trade: Trade, number: int) -> Iterable[Step]:
        """Return a trade unless it is a repeat, with what its number tells."""
        if self.next is not None and number != self.next:
            return self._out_of_turn(trade, number, expected=self.next)
        self.next = number + 1
        self.last_event_ns = trade.event_ns
        return (trade,)

    def _out_of_turn(self, trade: Trade, number: int, *, expected: int) -> Iterator[Step]:
        last_ns = self.last_event_ns
        if number > expected:
            self._holes.append(range(expected, number))
            yield _event("gap", trade, expected, from_ns=last_ns)
        elif self._is_reset(trade):
            self._holes.clear()
            yield _event("resync", trade, expected, from_ns=last_ns, detail="the venue began its trade ids again")
        else:
            if self._fills_hole(number):
                # Without a sequence, for the mark of what is stored is the sequence stored last: it must not fall back.
                yield msgspec.structs.replace(trade, sequence=None)
                yield _event("resync", trade, number, from_ns=trade.event_ns, detail="a missing trade came late")
            return
        self.next = number + 1
        self.last_event_ns = trade.event_ns
        yield trade

    def _is_reset(self, trade: Trade) -> bool:
        if self.last_event_ns is None:
            self.last_event_ns = trade.received_ns
        return trade.event_ns > self.last_event_ns + RESET_MARGIN_NS

    def _fills_hole(self, number: int) -> bool:
        for index, hole in enumerate(self._holes):
            if number in hole:
                parts = (range(hole.start, number), range(number + 1, hole.stop))
                self._holes[index] = parts[0] or parts[1]
                if parts[0] and parts[1]:
                    self._holes.append(parts[1])
                return True
        return False


def _event(kind: EventKind, trade: Trade, expected: int, *, from_ns: int | None, detail: str = "") -> FeedEvent:
    """Return an event up to a trade; the time of a last trade that is only a mark is not known."""
    return FeedEvent(
        venue=VENUE,
        symbol=trade.symbol,
        received_ns=trade.received_ns,
        channel="trade",
        kind=kind,
        from_ns=min(trade.event_ns, trade.received_ns if from_ns is None else from_ns),
        to_ns=trade.event_ns,
        expected=str(expected),
        found=trade.trade_id,
        detail=detail,
    )
