"""
Crypto books: nothing is numbered, so a book begins anew with every connection.

The venue tells a book whole (`r`) first, then its changes. A change that comes before that changes a book that nobody
has: it is told as a gap and not stored, until the book is whole again.
"""

from collections.abc import Iterable, Iterator

from common.records import BookUpdate
from ingesters.feed import Step
from ingesters.venues.alpaca_backfill import event
from ingesters.venues.alpaca_heard import Head

CHANNEL = "orderbooks"


class Books:
    """Which books are whole on this connection."""

    def __init__(self, before: Head) -> None:
        self._whole: set[str] = set()
        # The gap of these was told when the connection began; the first whole book ends it.
        self._lost_ns = dict.fromkeys(() if before.is_recording else before.symbols, before.until_ns)

    def hear(self, update: BookUpdate) -> Iterator[Step]:
        """Yield a book, or a change of one that is whole."""
        symbol, received_ns = update.symbol, update.received_ns
        event_ns = update.event_ns or received_ns
        if update.kind == "snapshot":
            self._whole.add(symbol)
            yield update
            if (lost_ns := self._lost_ns.pop(symbol, None)) is not None:
                yield event("resync", CHANNEL, symbol, (lost_ns, event_ns), received_ns, detail="told whole again")
        elif symbol in self._whole:
            yield update
        elif symbol not in self._lost_ns:
            self._lost_ns[symbol] = event_ns
            detail = "changes of a book that was not told whole: not stored until it is"
            yield event("gap", CHANNEL, symbol, (event_ns, event_ns), received_ns, detail=detail)

    def leave(self, symbols: Iterable[str]) -> None:
        """Forget symbols that are not listened to any more."""
        for symbol in symbols:
            self._whole.discard(symbol)
            self._lost_ns.pop(symbol, None)
