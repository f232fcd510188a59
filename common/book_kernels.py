"""
Order books, compiled: messages applied to sorted arrays, and what a book answers at an instant.

`common.book_twin` says the same in plain numpy. Floats are summed from the best level outwards, prices are compared as
integers: whether a level lies in a band is never a matter of rounding.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import numpy as np
from numba import njit

from common.book_shapes import (
    ASKS,
    BIDS,
    BPS,
    FLOW_BROKEN,
    FLOW_EVENTS,
    FLOW_LEVELS,
    FLOW_SNAPSHOTS,
    KEY,
    NOWHERE,
    SHOWN,
    SIZE,
    Floats,
    Instants,
    Ints,
    Ladders,
    Messages,
    Store,
)


class View(NamedTuple):
    """One side of a book at an instant: how deep it is, and what a step of its integers is worth."""

    which: int
    levels: int
    known: int
    floor: int
    twice_mid: int
    price_step: float
    size_step: float


F = TypeVar("F", bound=Callable[..., object])
UNKNOWN = float("nan")
NEARLY = 1 - 1e-12  # an amount that is the whole book to the last digit is filled, whatever floats make of the sum


def compiled(function: F) -> F:
    """Return a function compiled by numba; the result is kept on disk beside the module."""
    return cast("F", njit(cache=True, nogil=True, error_model="numpy")(function))


@compiled
def lower_bound(keys: Ints, count: int, key: int) -> int:
    """Return where the first of the ascending keys stands that is at least `key`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _remove(side: Ints, count: int, at: int) -> int:
    for row in range(3):
        for index in range(at, count - 1):
            side[row, index] = side[row, index + 1]
    return count - 1


@compiled
def _set_level(side: Ints, count: int, level: Ints) -> int:
    """Set one level, or remove it when its size is 0; return the number of levels."""
    at = lower_bound(side[KEY], count, level[KEY])
    is_there = at < count and side[KEY, at] == level[KEY]
    if level[SIZE] == 0:
        return _remove(side, count, at) if is_there else count
    for row in range(3):
        if not is_there:
            for index in range(count, at, -1):
                side[row, index] = side[row, index - 1]
        side[row, at] = level[row]
    return count if is_there else count + 1


@compiled
def _is_sorted(levels: Ints, start: int, stop: int) -> bool:
    """Return whether levels stand best first, each once, none empty."""
    for index in range(start, stop):
        if levels[SIZE, index] == 0 or (index > start and levels[KEY, index] >= levels[KEY, index - 1]):
            return False
    return True


@compiled
def _replace(side: Ints, levels: Ints, start: int, stop: int) -> int:
    """Make a side of a snapshot's levels; return their number."""
    count = 0
    if _is_sorted(levels, start, stop):
        count = stop - start
        for row in range(3):
            for index in range(count):
                side[row, index] = levels[row, stop - 1 - index]
        return count
    for index in range(start, stop):
        count = _set_level(side, count, levels[:, index])
    return count


@compiled
def _apply_side(store: Store, messages: Messages, number: int, which: int) -> None:
    side = store.bids if which == BIDS else store.asks
    levels = messages.bids if which == BIDS else messages.asks
    starts = messages.bid_starts if which == BIDS else messages.ask_starts
    start, stop, depth = starts[number], starts[number + 1], messages.depth[number]
    if messages.is_snapshot[number]:
        store.counts[which] = _replace(side, levels, start, stop)
    else:
        for index in range(start, stop):
            store.counts[which] = _set_level(side, store.counts[which], levels[:, index])
    # A venue that limits a delta, too, keeps its book that deep: the window moves. Otherwise it stays where it was.
    if messages.is_snapshot[number] or depth:
        is_limited = 0 < depth <= store.counts[which]
        store.floors[which] = side[KEY, 0] if is_limited else NOWHERE


@compiled
def _shown(store: Store, top: Ints) -> None:
    """Copy the best levels: (side, key and size, levels); a missing one has no size and the lowest of keys."""
    for which in range(2):
        side, count = (store.bids, store.counts[BIDS]) if which == BIDS else (store.asks, store.counts[ASKS])
        for level in range(FLOW_LEVELS):
            is_there = level < count
            top[which, KEY, level] = side[KEY, count - 1 - level] if is_there else NOWHERE
            top[which, SIZE, level] = side[SIZE, count - 1 - level] if is_there else 0


@compiled
def _flow(store: Store, before: Ints, after: Ints) -> None:
    """Add what a message did to the best levels: Cont, Kukanov, Stoikov, https://arxiv.org/abs/1011.6402 (10)."""
    for level in range(FLOW_LEVELS):
        flow = 0.0
        for which in range(2):
            sign = 1.0 if which == BIDS else -1.0
            if after[which, KEY, level] >= before[which, KEY, level]:
                flow += sign * after[which, SIZE, level] / store.units[1]
            if after[which, KEY, level] <= before[which, KEY, level]:
                flow -= sign * before[which, SIZE, level] / store.units[1]
        store.flow[level] += flow


@compiled
def _apply(store: Store, messages: Messages, number: int, tops: Ints) -> None:
    _shown(store, tops[0])
    _apply_side(store, messages, number, BIDS)
    _apply_side(store, messages, number, ASKS)
    if messages.breaks_flow[number]:
        store.flow[FLOW_BROKEN] = 1.0
        return
    _shown(store, tops[1])
    _flow(store, tops[0], tops[1])
    store.flow[FLOW_EVENTS] += 1.0
    store.flow[FLOW_SNAPSHOTS] += messages.is_snapshot[number]


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
    _fills(side, view, ladders, out.fills[row, which])
    for reach in range(len(ladders.reaches_bps)):
        out.reaches[row, which, reach] = _reach(side, view, ladders.reaches_bps[reach])


@compiled
def _read_off(store: Store, ladders: Ladders, out: Instants, row: int) -> None:
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


@compiled
def run(store: Store, messages: Messages, span: Ints, cuts: Ints, ladders: Ladders, out: Instants) -> None:
    """
    Apply messages to a book, and read it off at instants.

    Args:
        store: the book, changed in place; it has room for every level of the messages.
        messages: of a batch.
        span: the first message to apply, the one behind the last, and the row of the first instant.
        cuts: before which message each instant is, ascending; the one behind the last for those after all.
        ladders: what is asked.
        out: where the rows go.
    """
    tops = np.zeros((2, 2, 2, FLOW_LEVELS), np.int64)
    cut = 0
    for number in range(span[0], span[1] + 1):
        while cut < len(cuts) and cuts[cut] == number:
            _read_off(store, ladders, out, span[2] + cut)
            cut += 1
        if number < span[1]:
            _apply(store, messages, number, tops)
