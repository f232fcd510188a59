"""
What an order book answers at an instant, compiled.

Floats are summed from the best level outwards. Prices are compared as integers: whether a level lies in a band is no
matter of rounding.
"""

from typing import NamedTuple

from common.book_compiled import compiled, lower_bound
from common.book_shapes import ASKS, BIDS, BPS, KEY, NOWHERE, SHOWN, SIZE, Floats, Instants, Ints, Ladders, Store

UNKNOWN = float("nan")
NEARLY = 1 - 1e-12  # an amount that is the whole book to the last digit is filled, whatever floats make of the sum


class View(NamedTuple):
    """One side of a book at an instant: how deep it is, and what a step of its integers is worth."""

    which: int
    levels: int
    known: int
    floor: int
    twice_mid: int
    price_step: float
    size_step: float


@compiled
def _top(side: Ints, count: int, top: Ints) -> None:
    for level in range(SHOWN):
        at = count - 1 - level
        if at >= 0:
            for row in range(3):
                top[row, level] = side[row, at]
        elif count:
            top[KEY, level] = side[KEY, 0]


@compiled
def band_keys(twice_mid: int, bps: int, which: int) -> tuple[int, int]:
    """
    Return the lowest key within so many basis points of the mid, and down to which key a book must be known to say so.

    The limit itself may lie between two keys: then a finer price might stand there. 2 x mid is an integer, so that this
    is exact.
    """
    share = BPS - bps if which == BIDS else BPS + bps
    whole, rest = twice_mid // (2 * BPS), twice_mid % (2 * BPS)
    below = whole * share + rest * share // (2 * BPS)
    above = below + (rest * share % (2 * BPS) > 0)
    return (above, below) if which == BIDS else (-below, -above)


@compiled
def _bands(side: Ints, view: View, ladders: Ladders, bands: Floats) -> None:
    """Add up base currency and notional within each distance from the mid, as far as the book is known."""
    base = notional = 0.0
    at = view.levels - 1
    for band in range(len(ladders.bands_bps)):
        inside, known_to = band_keys(view.twice_mid, ladders.bands_bps[band], view.which)
        if view.floor > known_to:
            return
        while at >= 0 and side[KEY, at] >= inside:
            size = side[SIZE, at] * view.size_step
            base += size
            notional += abs(side[KEY, at]) * view.price_step * size
            at -= 1
        bands[0, band], bands[1, band] = base, notional


@compiled
def _total(side: Ints, view: View, totals: Floats) -> None:
    """Add up base currency and notional of all that is known: the least that a band holds which is not covered."""
    base = notional = 0.0
    for level in range(view.known):
        at = view.levels - 1 - level
        size = side[SIZE, at] * view.size_step
        base += size
        notional += abs(side[KEY, at]) * view.price_step * size
    totals[0], totals[1] = base, notional


@compiled
def _beyond_mid(key: int, view: View) -> float:
    """Return how much worse than the mid a price is, from integers: two large floats would leave little behind."""
    twice = 2 * key - view.twice_mid if view.which == BIDS else 2 * key + view.twice_mid
    return -0.5 * twice * view.price_step


@compiled
def _fills(side: Ints, view: View, ladders: Ladders, fills: Floats) -> None:
    """Walk the book until each amount is traded: base currency, and what it costs beyond the mid."""
    spent = base = beyond = 0.0
    wanted = 0
    for level in range(view.known):
        key = side[KEY, view.levels - 1 - level]
        price, size = abs(key) * view.price_step, side[SIZE, view.levels - 1 - level] * view.size_step
        away = _beyond_mid(key, view)
        while wanted < len(ladders.notionals) and spent + price * size >= ladders.notionals[wanted] * NEARLY:
            part = (ladders.notionals[wanted] - spent) / price
            fills[0, wanted], fills[1, wanted] = base + part, beyond + part * away
            wanted += 1
        if wanted == len(ladders.notionals):
            return
        spent += price * size
        base += size
        beyond += size * away


@compiled
def _reach(side: Ints, view: View, bps: float) -> float:
    """Return the largest amount whose average price is within `bps` of the mid; NaN when the book ends before."""
    allowed = 0.5 * view.twice_mid * view.price_step * bps / BPS
    spent = slack = 0.0
    for level in range(view.known):
        key = side[KEY, view.levels - 1 - level]
        price, size = abs(key) * view.price_step, side[SIZE, view.levels - 1 - level] * view.size_step
        excess = _beyond_mid(key, view) - allowed
        if excess > 0 and slack < excess * size:
            return float(spent + price * slack / excess)
        slack -= excess * size
        spent += price * size
    return spent if view.floor == NOWHERE else UNKNOWN


@compiled
def _read_side(store: Store, ladders: Ladders, out: Instants, row: int, which: int) -> None:
    side = store.bids if which == BIDS else store.asks
    twice_mid = out.tops[row, BIDS, KEY, 0] - out.tops[row, ASKS, KEY, 0]
    view = View(
        which,
        store.counts[which],
        out.known[row, which],
        store.floors[which],
        twice_mid,
        1 / store.units[0],
        1 / store.units[1],
    )
    _bands(side, view, ladders, out.bands[row, which])
    _total(side, view, out.totals[row, which])
    _fills(side, view, ladders, out.fills[row, which])
    for reach in range(len(ladders.reaches_bps)):
        out.reaches[row, which, reach] = _reach(side, view, ladders.reaches_bps[reach])


@compiled
def read_off(store: Store, ladders: Ladders, out: Instants, row: int) -> None:
    """Write what a book answers into a row, and begin its flow anew."""
    out.counts[row] = store.counts
    out.floors[row] = store.floors
    out.flow[row] = store.flow
    store.flow[:] = 0.0
    for which in range(2):
        side, count = (store.bids, store.counts[BIDS]) if which == BIDS else (store.asks, store.counts[ASKS])
        out.known[row, which] = count - lower_bound(side[KEY], count, store.floors[which])
        _top(side, count, out.tops[row, which])
    if store.counts[BIDS] and store.counts[ASKS] and out.tops[row, BIDS, KEY, 0] > out.tops[row, ASKS, KEY, 0]:
        _read_side(store, ladders, out, row, BIDS)
        _read_side(store, ladders, out, row, ASKS)
