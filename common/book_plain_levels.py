"""What `common.book_levels` does, in plain numpy."""

import numpy as np

from common.book_shapes import ASKS, BIDS, BPS, KEY, SIZE, Floats, Ints, Levels


def levels(tops: Ints, which: int, units: Floats, out: Levels) -> None:
    """Do what `common.book_levels.levels` does."""
    keys = abs(tops[:, which, KEY])
    out.prices[:], out.sizes[:] = keys / units[:, :1], tops[:, which, SIZE] / units[:, 1:]
    out.sums[:], out.notional_sums[:] = np.cumsum(out.sizes, axis=1), np.cumsum(out.prices * out.sizes, axis=1)
    out.steps[:] = abs(np.diff(keys)) / units[:, :1]
    with np.errstate(invalid="ignore", divide="ignore"):  # behind the last level
        out.elasticities[:] = (out.sizes[:, 1:] / out.sums[:, :-1]) / (out.steps / out.prices[:, :-1])
    twice_mid = abs(tops[:, BIDS, KEY, :1]) + abs(tops[:, ASKS, KEY, :1])
    out.distances_bps[:] = abs(2 * keys - twice_mid) / np.maximum(twice_mid, 1) * BPS
