"""Polymarket's trades as its socket tells them, each once, although the venue gives them no id."""

from collections import Counter
from typing import NamedTuple

from common.clock import NS_PER_MS
from common.records import Trade
from ingesters.venues.polymarket_clob_wire import VENUE, TradeMessage, milliseconds

TRADES_A_MS = 1000
REMEMBERED_MS = 200  # milliseconds with trades, of each token: repeats come at once or not at all


class Place(NamedTuple):
    """Which market's outcome a token is."""

    market_id: str = ""
    outcome: str = ""


NOWHERE = Place()


class TokenTrades:
    """
    One token's trades, each once.

    The venue gives no trade id. Ours is made of all that it tells: transaction hash, time, price, size and taker side.
    The same again, with a hash, is a repeat. Without a hash (recordings of 2025) two trades may be alike to the last
    letter, so there the n-th of them within its millisecond is a trade of its own, `#n`.

    `sequence` is the millisecond times 1000 plus how many came before in it: it grows, but it is not dense. After a
    restart what is at or below the mark is a repeat.
    """

    __slots__ = ("_counts", "_mark", "_newest_ms")

    def __init__(self, mark: int | None) -> None:
        self._mark = -1 if mark is None else mark
        self._newest_ms = 0
        self._counts: dict[int, Counter[str]] = {}

    def hear(self, message: TradeMessage, place: Place, received_ns: int) -> tuple[Trade, ...]:
        """Return a trade unless it is a repeat."""
        at_ms = milliseconds(message.timestamp)
        name, is_repeat, sequence = self._numbered(message, at_ms)
        if is_repeat or sequence <= self._mark:
            return ()
        is_late = at_ms < self._newest_ms  # it leaves no mark: the mark of what is stored must not fall back
        self._newest_ms = max(self._newest_ms, at_ms)
        return (
            Trade(
                VENUE,
                message.asset_id,
                received_ns,
                trade_id=name,
                event_ns=at_ms * NS_PER_MS,
                price=message.price,
                size=message.size,
                taker_side="buy" if message.side == "BUY" else "sell",
                sequence=None if is_late else sequence,
                market_id=place.market_id,
                outcome=place.outcome,
                transaction_hash=message.transaction_hash or "",
            ),
        )

    def _numbered(self, message: TradeMessage, at_ms: int) -> tuple[str, bool, int]:
        """Return the trade's id, whether it was heard before, and its sequence."""
        told = (message.transaction_hash or "", str(at_ms), message.price, message.size, message.side)
        name = ":".join(word for word in told if word)
        counts = self._counts.get(at_ms)
        if counts is None:
            counts = self._counts[at_ms] = Counter()
            if len(self._counts) > REMEMBERED_MS:
                del self._counts[next(iter(self._counts))]
        sequence = at_ms * TRADES_A_MS + counts.total()
        is_repeat = bool(message.transaction_hash) and name in counts
        if not is_repeat:
            counts[name] += 1
        number = counts[name]
        return (name if number == 1 else f"{name}#{number}"), is_repeat, sequence
