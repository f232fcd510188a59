"""
Trades of OKX that somebody wants fetched again: which ids they have, then a hole like any other.

`history-trades` takes a time as well as an id, and goes three months back.
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-trades-history
"""

from collections.abc import Callable, Iterator
from urllib.parse import quote

from common.clock import NS_PER_MS
from common.wishes import Wish
from ingesters.feed import Fetch, Frame, Recall, Step
from ingesters.venues.okx_backfill import WEIGHT, Backfill
from ingesters.venues.okx_wire import IN_WORDS, TradeRow

KEY = "wish"


class ByHand:
    """The wishes for OKX; `has_begun` tells whether a symbol's stream has brought a trade."""

    def __init__(self, rest_url: str, backfill: Backfill, has_begun: Callable[[str], bool]) -> None:
        self._url = f"{rest_url}/api/v5/market/history-trades"
        self._backfill = backfill
        self._wishes = backfill.wishes
        self._has_begun = has_begun
        self._first = 1

    @property
    def key(self) -> str:
        """Return the name under which the wishes come."""
        return self._wishes.key

    @property
    def recall(self) -> Recall:
        """Return the question for the wishes."""
        return self._wishes.recall

    def hear(self, frame: Frame) -> Iterator[Step]:
        """Hear which wishes there are; look into one of them if its symbol's numbering is known."""
        forget, wish = self._wishes.hear(frame, self._backfill.wished)
        if forget:
            yield forget
        if wish and not self._has_begun(wish.symbol):
            self._wishes.located = None  # until the stream has begun
        elif wish:
            yield self._ask(wish, "from")
        yield self.recall

    def page(self, edge: str, rows: list[TradeRow], received_ns: int) -> Iterator[Step]:
        """Hear which trade is the last before one edge of the wish; the oldest ones may be gone."""
        wish = self._wishes.located
        if wish is None:
            return
        behind = int(rows[0].id) + 1 if rows else 1
        if edge == "from":
            self._first = behind
            yield self._ask(wish, "to")
        else:
            self._wishes.located = None
            yield from self._backfill.want(wish, (self._first, min(behind, wish.below)), received_ns)

    def refuse(self, reason: str, received_ns: int) -> Iterator[Step]:
        """Leave a wish that the venue does not grant."""
        wish, self._wishes.located = self._wishes.located, None
        if wish is not None:
            yield from self._backfill.refuse_wish(wish, reason, received_ns)

    def _ask(self, wish: Wish, edge: str) -> Fetch:
        """Return the question for the last trade before the beginning of a wish, or before what is behind its end."""
        at_ms = wish.from_ns // NS_PER_MS if edge == "from" else wish.to_ns // NS_PER_MS + 1
        url = f"{self._url}?instId={quote(wish.symbol)}&type=2&after={at_ms}&limit=1"
        return Fetch(f"{KEY}:{edge}", url, weight=WEIGHT, accept=IN_WORDS)
