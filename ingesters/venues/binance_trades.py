"""The numbering of Binance's trades: dense per symbol, so that the id tells a repeat, a hole and a late one apart."""

from collections.abc import Iterable, Iterator

import msgspec

from common.records import EventKind, FeedEvent, Trade
from ingesters.feed import Step
from ingesters.venues.binance_backfill import Backfill
from ingesters.venues.binance_stretch import Kind
from ingesters.venues.binance_wire import VENUE, AggTradeMessage, TradeKind, TradeMessage
from ingesters.venues.latest import Latest

KIND_OF: dict[Kind, TradeKind] = {"trade": TradeMessage, "aggTrade": AggTradeMessage}
NAME_OF: dict[TradeKind, Kind] = {kind: name for name, kind in KIND_OF.items()}


class TradeSequence:
    """
    One symbol's trades, each once.

    `mark` is the largest id that is stored, None if there is none. An id that is not larger than the last one is

    - a late trade if it is one of those that `backfill` still misses;
    - the first of a new numbering if it happened clearly after the last one (Binance's testnet begins again each
      month). After a restart only the number of the last one is known; but it was stored before this connection heard
      its first trade, so that moment stands in for its time;
    - else a repeat. That is the answer in doubt: to an old session that is played again, and in the ten seconds after
      a restart that fell together with a new numbering.
    """

    def __init__(self, mark: int | None, kind: TradeKind, backfill: Backfill) -> None:
        self.kind = kind
        self._backfill = backfill
        self.next = None if mark is None else mark + 1
        self.latest = Latest()

    def hear(self, trade: Trade, number: int) -> Iterable[Step]:
        """Return a trade unless it is a repeat, with what its number tells."""
        if self.next is not None and number != self.next:
            return self._out_of_turn(trade, number, expected=self.next)
        self.next = number + 1
        self.latest.stand_at(trade.event_ns)
        return (trade,)

    def _out_of_turn(self, trade: Trade, number: int, *, expected: int) -> Iterator[Step]:
        last_ns = self.latest.at_ns
        news: Iterable[Step]
        if number > expected:
            gap = _event("gap", trade, expected, from_ns=last_ns)
            yield gap
            missed = range(expected, number)
            news = self._backfill.miss(gap, NAME_OF[self.kind], missed, is_time_known=last_ns is not None)
        elif self.latest.is_passed_by(trade.event_ns, trade.received_ns):
            yield _event("resync", trade, expected, from_ns=last_ns, detail="the venue began its trade ids again")
            news = self._backfill.forget(trade.symbol)
        else:
            yield from self._late(trade, number)
            return
        self.next = number + 1
        self.latest.stand_at(trade.event_ns)
        yield trade
        yield from news

    def _late(self, trade: Trade, number: int) -> Iterator[Step]:
        """Yield a trade that was missed, and nothing for a repeat."""
        if self._backfill.is_missing(trade, number):
            # Without a sequence, for the mark of what is stored is the sequence stored last: it must not fall back.
            yield msgspec.structs.replace(trade, sequence=None)
            yield _event("resync", trade, number, from_ns=trade.event_ns, detail="a missing trade came late")
            yield from self._backfill.found(trade)


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
