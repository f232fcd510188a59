"""
One token's book, kept only to find out whether what was told so far can be believed.

The venue numbers nothing, so a lost message leaves no hole. What gives it away: a best price that a change tells and
our levels do not have, a crossed book, or an answer to a question for the book that differs from our levels.
"""

from collections.abc import Iterable
from math import inf

from common.clock import NS_PER_MS
from ingesters.venues.polymarket_clob_ladder import Ladder, Parsed, Texts, texts_of
from ingesters.venues.polymarket_clob_wire import RestBook, milliseconds

MOST_SINCE = 5_000  # changes kept for an answer that is on its way; past them it is asked for again
NOT_AN_ASK = 1.0  # no order can stand at 0 or 1: the venue writes these for a side that is empty
Place = tuple[bool, float]  # whether it is a bid, and the key on its ladder
Difference = tuple[float, float]  # the size here, and the size told


class TokenBook:
    """
    The levels of one token, and what is held against them.

    `last_ms` is the venue's time of the newest message. `doubt_ns` is the venue's time since which something does not
    agree, `gap_ns` the same once it has been told. `since` holds what changed while an answer is on its way: an answer
    is of an instant of its own, and what came later has to be put on top of it.
    """

    __slots__ = (
        "asked_ms",
        "asks",
        "attempts",
        "believed_ns",
        "bids",
        "doubt_ns",
        "doubt_received_ns",
        "gap_ns",
        "heard_ns",
        "is_asked",
        "is_based",
        "last_ms",
        "next_ask_ns",
        "rest",
        "rest_ns",
        "since",
        "token",
        "why",
    )

    def __init__(self, token: str, now_ns: int) -> None:
        self.token = token
        self.bids, self.asks = Ladder(1.0), Ladder(-1.0)
        self.is_based = False  # whether there ever was a whole book
        self.last_ms = 0
        self.heard_ns = 0
        self.believed_ns: int | None = None  # the venue's time up to which the book was last found right
        self.doubt_ns: int | None = None
        self.doubt_received_ns = 0
        self.why = ("", "", "")
        self.gap_ns: int | None = None
        self.is_asked = False
        self.asked_ms = 0
        self.attempts = 0
        self.next_ask_ns = now_ns
        self.since: list[tuple[int, Parsed]] = []
        self.rest: RestBook | None = None
        self.rest_ns = 0

    def apply(self, changes: list[Parsed], at_ms: int) -> None:
        """Set levels."""
        for change in changes:
            (self.bids if change.is_bid else self.asks).put(change.key, change.texts, is_gone=change.is_gone)
        if self.is_asked and len(self.since) < MOST_SINCE:
            self.since += [(at_ms, change) for change in changes]
        self.last_ms = max(self.last_ms, at_ms)

    def replace(self, bids: Iterable[Texts], asks: Iterable[Texts], at_ms: int) -> None:
        """Take a whole book."""
        self.bids.replace(bids)
        self.asks.replace(asks)
        self.is_based = True
        self.last_ms = max(self.last_ms, at_ms)

    def disagreement(self, best_bid: str | None, best_ask: str | None) -> tuple[str, str, str] | None:
        """Return what was expected, what found and why that matters; None when nothing is wrong."""
        if not self.is_based:
            return "a whole book", "changes of one", "no book came before the changes"
        bid, ask = self.bids.best, -self.asks.best
        if bid >= ask:
            return "bid < ask", f"{self.bids.price()} / {self.asks.price()}", "the book is crossed"
        if (best_bid and bid != (float(best_bid) or -inf)) or (best_ask and ask != _best_ask(best_ask)):
            found = f"{self.bids.price()} / {self.asks.price()}"
            return f"{best_bid or ''} / {best_ask or ''}", found, "the best prices are others than the venue tells"
        return None

    def unheard(self, bids: list[Texts], asks: list[Texts]) -> dict[Place, Difference]:
        """
        Return the levels of a whole book that no change has told of: what they had here, and what they have.

        A book comes after a trade, and a trade takes from the top: whatever else differs is of another message.
        """
        found: dict[Place, Difference] = {}
        for is_bid, ours, levels in ((True, self.bids, bids), (False, self.asks, asks)):
            told = Ladder(ours.sign)
            told.replace(levels)
            before, now = ours.sizes(), told.sizes()
            for key in before.keys() | now.keys():
                had, has = before.get(key, 0.0), now.get(key, 0.0)
                if (key < told.best and had != has) or (key == told.best and has > had):
                    found[is_bid, key] = had, has
        return found

    def is_like(self, bids: Ladder, asks: Ladder) -> bool:
        """Return whether these levels are ours."""
        return self.bids.sizes() == bids.sizes() and self.asks.sizes() == asks.sizes()

    def settle(self) -> None:
        """Expect no answer any more."""
        self.is_asked, self.rest, self.attempts = False, None, 0
        self.since.clear()

    @property
    def last_ns(self) -> int:
        """Return the venue's time of the newest message."""
        return self.last_ms * NS_PER_MS

    def brought_up_to_date(self, rest: RestBook) -> tuple[Ladder, Ladder]:
        """
        Return an answer with what changed since.

        Changes of the very millisecond of the answer are put on it again: it may hold a part of them only, and a level
        that is set to the same size twice is right.
        """
        at_ms = milliseconds(rest.timestamp)
        bids, asks = Ladder(1.0), Ladder(-1.0)
        bids.replace(texts_of(rest.bids))
        asks.replace(texts_of(rest.asks))
        for changed_ms, change in self.since:
            if changed_ms >= at_ms:
                (bids if change.is_bid else asks).put(change.key, change.texts, is_gone=change.is_gone)
        return bids, asks


def _best_ask(text: str) -> float:
    price = float(text)
    return price if 0 < price < NOT_AN_ASK else inf
