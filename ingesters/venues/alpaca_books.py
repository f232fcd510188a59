"""
Crypto books: nothing is numbered, so a book begins anew with every connection.

The venue tells a book whole (`r`) first, then its changes. A change that comes before that changes a book that nobody
has: it is told as a gap and not stored, until the book is whole again. Only a book that is crossed, and stays so, shows
that a change was lost: then it is asked for anew.
"""

from collections.abc import Iterable, Iterator

from common.clock import NS_PER_S
from common.records import BookUpdate
from ingesters.feed import Step
from ingesters.venues.alpaca_backfill import event
from ingesters.venues.alpaca_heard import Head

CHANNEL = "orderbooks"
CROSSED_NS = NS_PER_S  # so long a book may seem crossed: sides change one after the other
AGAIN_NS = 60 * NS_PER_S  # a book that comes crossed from the venue is not asked for all the time


class Sides:
    """The prices at which a book has something, and since when its best ones do not fit each other."""

    def __init__(self, update: BookUpdate) -> None:
        self.bids: set[float] = set()
        self.asks: set[float] = set()
        self.crossed_ns: int | None = None
        self.change(update)

    def change(self, update: BookUpdate) -> None:
        """Take what a message says of each price; 0 takes it away."""
        for prices, at, sizes in (
            (self.bids, update.bid_prices, update.bid_sizes),
            (self.asks, update.ask_prices, update.ask_sizes),
        ):
            for price, size in zip(at, sizes, strict=True):
                if float(size):
                    prices.add(float(price))
                else:
                    prices.discard(float(price))
        is_crossed = bool(self.bids and self.asks) and max(self.bids) >= min(self.asks)
        if not is_crossed:
            self.crossed_ns = None
        elif self.crossed_ns is None:
            self.crossed_ns = update.event_ns or update.received_ns


class Books:
    """Which books are whole on this connection; `broken` are those that are to be subscribed to anew."""

    def __init__(self, before: Head) -> None:
        self.broken: list[str] = []
        self._whole: dict[str, Sides] = {}
        self._broken_ns: dict[str, int] = {}
        # The gap of these was told when the connection began; the first whole book ends it.
        self._lost_ns = dict.fromkeys(() if before.is_recording else before.symbols, before.until_ns)

    def hear(self, update: BookUpdate) -> Iterator[Step]:
        """Yield a book, or a change of one that is whole."""
        symbol, received_ns = update.symbol, update.received_ns
        event_ns = update.event_ns or received_ns
        if update.kind == "snapshot":
            self._whole[symbol] = Sides(update)
            yield update
            if (lost_ns := self._lost_ns.pop(symbol, None)) is not None:
                yield event("resync", CHANNEL, symbol, (lost_ns, event_ns), received_ns, detail="told whole again")
        elif symbol in self._whole:
            yield update
            yield from self._check(update, event_ns)
        elif symbol not in self._lost_ns:
            detail = "changes of a book that was not told whole: not stored until it is"
            yield from self._lose(update, (event_ns, event_ns), detail)

    def leave(self, symbols: Iterable[str]) -> None:
        """Forget symbols that are not listened to any more."""
        for symbol in symbols:
            self._whole.pop(symbol, None)
            self._lost_ns.pop(symbol, None)

    def _check(self, update: BookUpdate, event_ns: int) -> Iterator[Step]:
        symbol, sides = update.symbol, self._whole[update.symbol]
        sides.change(update)
        if sides.crossed_ns is None or event_ns < max(
            sides.crossed_ns + CROSSED_NS, self._broken_ns.get(symbol, 0) + AGAIN_NS
        ):
            return
        del self._whole[symbol]
        self._broken_ns[symbol] = event_ns
        self.broken.append(symbol)
        found = f"{max(sides.bids)} / {min(sides.asks)}"
        detail = "the book stays crossed: a change was lost; asked for anew"
        yield from self._lose(update, (sides.crossed_ns, event_ns), detail, expected="bid < ask", found=found)

    def _lose(self, update: BookUpdate, span: tuple[int, int], detail: str, **words: str) -> Iterator[Step]:
        self._lost_ns[update.symbol] = span[0]
        yield event("gap", CHANNEL, update.symbol, span, update.received_ns, detail=detail, **words)
