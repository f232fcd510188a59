"""
What an order book answers at an instant, compiled.

Floats are summed from the best level outwards. Prices are compared as integers: whether a level lies in a band is no
matter of rounding.
"""

from typing import NamedTuple

import numpy as np

from common.book_compiled import compiled, lower_bound
from common.book_shapes import ASKS, BIDS, BPS, KEY, NOWHERE, SHOWN, SIZE, Floats, Instants, Ints, Ladders, Store

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


class Level(NamedTuple):
    """A level's price and size, and how much worse than the mid its price is."""

    price: float
    size: float
    away: float


class Sums(NamedTuple):
    """Of the levels so far: base currency, notional, and what both cost beyond the mid."""

    base: float
    spent: float
    beyond: float


class Answers(NamedTuple):
    """Where the answers of one side go: a row of `Instants`."""

    bands: Floats
    totals: Floats
    fills: Floats
    reaches: Floats


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
def _band_ends(view: View, ladders: Ladders) -> Ints:
    """Return the lowest key within each distance from the mid, as far out as the book is known."""
    ends = np.zeros(len(ladders.bands_bps), np.int64)
    for band in range(len(ends)):
        ends[band], known_to = band_keys(view.twice_mid, ladders.bands_bps[band], view.which)
        if view.floor > known_to:
            return ends[:band]
    return ends


@compiled
def _level(side: Ints, view: View, level: int) -> tuple[int, Level]:
    """Return the key of a level, and what it is; `away` is from integers: two large floats would leave little."""
    key = side[KEY, view.levels - 1 - level]
    twice_away = 2 * key - view.twice_mid if view.which == BIDS else 2 * key + view.twice_mid
    away = -0.5 * twice_away * view.price_step
    return key, Level(abs(key) * view.price_step, side[SIZE, view.levels - 1 - level] * view.size_step, away)


@compiled
def _filled(level: Level, sums: Sums, ladders: Ladders, wanted: int, fills: Floats) -> int:
    """Write what each amount that this level fills takes, from one on; return the first that it does not fill."""
    spent = sums.spent + level.price * level.size
    while wanted < len(ladders.notionals) and spent >= ladders.notionals[wanted] * NEARLY:
        part = (ladders.notionals[wanted] - sums.spent) / level.price
        fills[0, wanted], fills[1, wanted] = sums.base + part, sums.beyond + part * level.away
        wanted += 1
    return wanted


@compiled
def _slack(side: Ints, view: View, ladders: Ladders) -> Floats:
    """
    Return what the average price of each distance may still lose, nothing so far, and how far it may be away.

    A distance that no level is beyond is left out: the whole side is within.
    """
    slack = np.zeros((2, len(ladders.reaches_bps)))
    slack[1] = 0.5 * view.twice_mid * view.price_step * ladders.reaches_bps / BPS
    _, worst = _level(side, view, max(view.known - 1, 0))
    asked = 0
    while asked < slack.shape[1] and worst.away > slack[1, asked]:
        asked += 1
    return slack[:, :asked]


@compiled
def _reached(level: Level, spent: float, slack: Floats, reach: int, answers: Answers) -> int:
    """Write the largest amounts whose average prices this level makes too bad, from one on; return the first beyond."""
    for at in range(reach, slack.shape[1]):
        excess = level.away - slack[1, at]
        if excess > 0 and slack[0, at] < excess * level.size:
            answers.reaches[at] = spent + level.price * slack[0, at] / excess
            reach = at + 1  # a smaller distance is reached no later
        slack[0, at] -= excess * level.size
    return reach


@compiled
def _read_side(side: Ints, view: View, ladders: Ladders, answers: Answers) -> None:
    """
    Walk a side once, and write what it answers.

    In bands and in all that is known: base currency and notional. For each amount to trade: base currency, and what it
    costs beyond the mid. For each distance: the largest amount whose average price is within it.
    """
    ends, slack = _band_ends(view, ladders), _slack(side, view, ladders)
    band = wanted = reach = 0
    sums = Sums(0.0, 0.0, 0.0)
    for number in range(view.known):
        key, level = _level(side, view, number)
        while band < len(ends) and key < ends[band]:
            answers.bands[0, band], answers.bands[1, band] = sums.base, sums.spent
            band += 1
        wanted = _filled(level, sums, ladders, wanted, answers.fills)
        reach = _reached(level, sums.spent, slack, reach, answers)
        value = level.price * level.size
        sums = Sums(sums.base + level.size, sums.spent + value, sums.beyond + level.size * level.away)
    answers.bands[0, band : len(ends)], answers.bands[1, band : len(ends)] = sums.base, sums.spent
    answers.totals[0], answers.totals[1] = sums.base, sums.spent
    if view.floor == NOWHERE:
        answers.reaches[reach:] = sums.spent


@compiled
def _view(store: Store, out: Instants, row: int, which: int) -> View:
    twice_mid = out.tops[row, BIDS, KEY, 0] - out.tops[row, ASKS, KEY, 0]
    known, floor = out.known[row, which], store.floors[which]
    return View(which, store.counts[which], known, floor, twice_mid, 1 / store.units[0], 1 / store.units[1])


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
        for which in range(2):
            side = store.bids if which == BIDS else store.asks
            answers = Answers(
                out.bands[row, which], out.totals[row, which], out.fills[row, which], out.reaches[row, which]
            )
            _read_side(side, _view(store, out, row, which), ladders, answers)
