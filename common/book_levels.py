"""The best levels of books as floats, and what lies between neighbours, compiled."""

from common.book_compiled import compiled
from common.book_shapes import ASKS, BIDS, BPS, KEY, SHOWN, SIZE, Floats, Ints, Levels


@compiled
def levels(tops: Ints, which: int, units: Floats, out: Levels) -> None:
    """
    Write the best levels of one side at each instant.

    Args:
        tops: as in `Instants`.
        which: of the sides.
        units: (rows, 2): what a price and a size of 1 are as scaled integers.
        out: where the levels go.
    """
    for row in range(len(tops)):
        twice_mid = abs(tops[row, BIDS, KEY, 0]) + abs(tops[row, ASKS, KEY, 0])
        base = notional = 0.0
        for level in range(SHOWN):
            key = abs(tops[row, which, KEY, level])
            price, size = key / units[row, 0], tops[row, which, SIZE, level] / units[row, 1]
            if level:
                step = abs(key - abs(tops[row, which, KEY, level - 1])) / units[row, 0]
                out.steps[row, level - 1] = step
                out.elasticities[row, level - 1] = (size / base) / (step / out.prices[row, level - 1])
            base += size
            notional += price * size
            out.prices[row, level], out.sizes[row, level] = price, size
            out.sums[row, level], out.notional_sums[row, level] = base, notional
            out.distances_bps[row, level] = abs(2 * key - twice_mid) / max(twice_mid, 1) * BPS
