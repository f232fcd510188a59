"""
Trades of Binance that somebody wants fetched again: which ids they have, then a stretch like any other.

`aggTrades` is the one endpoint that takes a time, and each of its rows names the first trade that it sums up.
https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#compressedaggregate-trades-list
"""

from collections.abc import Callable, Iterator
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_MS
from common.errors import BadAnswer
from common.wishes import Wish
from ingesters.feed import Fetch, Frame, Recall, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_backfill import BAD_REQUEST, Backfill
from ingesters.venues.binance_stretch import Kind

KEY = "wish"
WEIGHT = 4


class Beginning(msgspec.Struct, rename={"aggregate": "a", "trade": "f", "time": "T"}):
    """A row of `aggTrades`: its own id, and that of its first trade."""

    aggregate: int
    trade: int
    time: int


_decode = msgspec.json.Decoder(list[Beginning]).decode


class ByHand:
    """The wishes for Binance; `kind_of` tells in which numbering a symbol's stream came, None before it has."""

    def __init__(self, rest_url: str, backfill: Backfill, kind_of: Callable[[str], Kind | None]) -> None:
        self._url = f"{rest_url}/api/v3/aggTrades"
        self._backfill = backfill
        self._wishes = backfill.wishes
        self._kind_of = kind_of
        self._first: int | None = None

    @property
    def recall(self) -> Recall:
        """Return the question for the wishes."""
        return self._wishes.recall

    def hear(self, frame: Frame) -> Iterator[Step]:
        """Hear which wishes there are; look into one of them if its symbol's numbering is known."""
        forget, wish = self._wishes.hear(frame, self._backfill.wished)
        if forget:
            yield forget
        if wish and self._kind_of(wish.symbol) is None:
            self._wishes.located = None  # until the stream has begun
        elif wish:
            yield self._ask(wish, "from")
        yield self.recall

    def answer(self, frame: Frame, edge: str) -> Iterator[Step]:
        """Hear which id is the first at one edge of the wish."""
        wish = self._wishes.located
        if wish is None:
            return
        try:
            refusal = wire.REFUSAL.decode(frame.payload) if frame.status == BAD_REQUEST else None
            rows = [] if refusal else _decode(frame.payload)
        except msgspec.MsgspecError as error:
            raise BadAnswer(wire.VENUE, reason=f"the ids of {wish.symbol}: {error}") from error
        kind = self._kind_of(wish.symbol) or "trade"
        found = (rows[0].trade if kind == "trade" else rows[0].aggregate) if rows else wish.below
        if refusal:
            self._wishes.located = None
            yield from self._backfill.refuse(wish, f"refused: {refusal.code} {refusal.msg}", frame.received_ns)
        elif edge == "from":
            self._first = found
            yield self._ask(wish, "to")
        else:
            self._wishes.located = None
            first = wish.below if self._first is None else self._first
            yield from self._backfill.want(wish, kind, (first, min(found, wish.below)), frame.received_ns)

    def _ask(self, wish: Wish, edge: str) -> Fetch:
        """Return the question for the first trade at the beginning of a wish, or behind its end."""
        at_ms = wish.from_ns // NS_PER_MS if edge == "from" else wish.to_ns // NS_PER_MS + 1
        url = f"{self._url}?symbol={quote(wish.symbol)}&startTime={at_ms}&limit=1"
        return Fetch(f"{KEY}:{edge}", url, weight=WEIGHT, accept=(BAD_REQUEST,))
