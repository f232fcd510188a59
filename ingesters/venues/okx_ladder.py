"""A book kept only to be compared with what the venue says of it: its checksum, and its best levels."""

import zlib
from bisect import bisect_left, insort
from itertools import zip_longest

from ingesters.venues.okx_wire import BookRow, Levels

CHECKED_LEVELS = 25


class Side:
    """
    One side's levels: sizes in the venue's own texts, and prices too where a checksum is computed of them.

    Prices are looked up as floats: two texts of one price are one level, and no venue writes prices of 16 digits. A
    thousand books have 800,000 levels, so what is kept of each counts.
    """

    def __init__(self, levels: Levels, *, is_bid: bool, has_checksum: bool) -> None:
        self._is_bid = is_bid
        self._texts = {float(level[0]): level[0] for level in levels} if has_checksum else None
        self._sizes = {float(level[0]): level[1] for level in levels}
        self._prices = sorted(self._sizes)

    def apply(self, levels: Levels) -> None:
        """Set levels; size 0 removes one, and an unknown removal is no error: the level had left the window."""
        sizes = self._sizes
        for level in levels:
            key, size = float(level[0]), level[1]
            if size[:1] != "0" or float(size):
                if key not in sizes:
                    insort(self._prices, key)
                sizes[key] = size
            elif sizes.pop(key, None) is not None:
                del self._prices[bisect_left(self._prices, key)]
        if self._texts is not None:
            self._texts |= {float(level[0]): level[0] for level in levels}

    def top(self, levels: int) -> list[tuple[float, str]]:
        """Return (price, size) of the best levels, best first."""
        best = self._prices[: -levels - 1 : -1] if self._is_bid else self._prices[:levels]
        return [(key, self._sizes[key]) for key in best]

    @property
    def texts(self) -> list[tuple[str, str]] | None:
        """Return the best levels as the venue wrote them; None where it computes no checksum of them."""
        if self._texts is None:
            return None
        return [(self._texts[key], size) for key, size in self.top(CHECKED_LEVELS)]


class Ladder:
    """Both sides of one book."""

    def __init__(self, snapshot: BookRow) -> None:
        has_checksum = bool(snapshot.checksum)
        self._bids = Side(snapshot.bids, is_bid=True, has_checksum=has_checksum)
        self._asks = Side(snapshot.asks, is_bid=False, has_checksum=has_checksum)

    def apply(self, delta: BookRow) -> None:
        """Set the levels that changed."""
        self._bids.apply(delta.bids)
        self._asks.apply(delta.asks)

    def has_top(self, top: BookRow) -> bool:
        """Return whether these are the best levels of the book."""
        return all(
            [(float(level[0]), level[1]) for level in told] == side.top(len(told))
            for told, side in ((top.bids, self._bids), (top.asks, self._asks))
        )

    @property
    def checksum(self) -> int | None:
        """
        Return the venue's checksum: CRC-32, signed, of the best 25 levels as bid, ask, bid, ask in their own texts.

        None for a book whose snapshot had none, as the venue's have since June 2026.
        https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel (checksum)
        """
        bids, asks = self._bids.texts, self._asks.texts
        if bids is None or asks is None:
            return None
        words = [word for pair in zip_longest(bids, asks, fillvalue=()) for level in pair for word in level]
        unsigned = zlib.crc32(":".join(words).encode())
        return unsigned - (1 << 32) if unsigned >> 31 else unsigned
