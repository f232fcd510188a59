"""A book kept only to be compared with what the venue says of it: its checksum, and its best levels."""

import zlib
from bisect import bisect_left, insort
from itertools import zip_longest

from ingesters.venues.okx_wire import BookRow, Levels

CHECKED_LEVELS = 25
Top = list[tuple[str, str]]


class Side:
    """
    One side's levels, in the venue's own texts.

    Prices are looked up as floats: two texts of one price are one level, and no venue writes prices of 16 digits.
    """

    def __init__(self, levels: Levels, *, is_bid: bool) -> None:
        self._is_bid = is_bid
        self._levels = {float(price): (price, size) for price, size, *_ in levels}
        self._prices = sorted(self._levels)

    def apply(self, levels: Levels) -> None:
        """Set levels; size 0 removes one, and an unknown removal is no error: the level had left the window."""
        for price, size, *_ in levels:
            key = float(price)
            if float(size):
                if key not in self._levels:
                    insort(self._prices, key)
                self._levels[key] = (price, size)
            elif self._levels.pop(key, None) is not None:
                del self._prices[bisect_left(self._prices, key)]

    def top(self, levels: int) -> Top:
        """Return (price, size) of the best levels, best first."""
        best = self._prices[: -levels - 1 : -1] if self._is_bid else self._prices[:levels]
        return [self._levels[key] for key in best]


class Ladder:
    """Both sides of one book."""

    def __init__(self, snapshot: BookRow) -> None:
        self._bids = Side(snapshot.bids, is_bid=True)
        self._asks = Side(snapshot.asks, is_bid=False)

    def apply(self, delta: BookRow) -> None:
        """Set the levels that changed."""
        self._bids.apply(delta.bids)
        self._asks.apply(delta.asks)

    def has_top(self, top: BookRow) -> bool:
        """Return whether these are the best levels of the book."""
        return all(
            [level[:2] for level in told] == side.top(len(told))
            for told, side in ((top.bids, self._bids), (top.asks, self._asks))
        )

    @property
    def checksum(self) -> int:
        """
        Return the venue's checksum: CRC-32, signed, of the best 25 levels as bid, ask, bid, ask in their own texts.

        https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel (checksum)
        """
        bids, asks = self._bids.top(CHECKED_LEVELS), self._asks.top(CHECKED_LEVELS)
        words = [word for pair in zip_longest(bids, asks, fillvalue=()) for level in pair for word in level]
        unsigned = zlib.crc32(":".join(words).encode())
        return unsigned - (1 << 32) if unsigned >> 31 else unsigned
