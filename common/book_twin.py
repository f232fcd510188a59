"""The order-book kernels in plain numpy: what they are checked against, and what works where numba does not."""

import math
from fractions import Fraction

import numpy as np

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
    REMOVED,
    SHOWN,
    SIZE,
    Floats,
    Instants,
    Ints,
    Ladders,
    Messages,
    Store,
)

SIDES = (BIDS, ASKS)


def run(store: Store, messages: Messages, span: Ints, cuts: Ints, ladders: Ladders, out: Instants) -> None:
    """Do what `common.book_kernels.run` does."""
    row = int(span[2])
    for number in range(int(span[0]), int(span[1]) + 1):
        for _ in range(int(np.count_nonzero(cuts == number))):
            _read_off(store, ladders, out, row)
            row += 1
        if number < span[1]:
            _apply(store, messages, number)


def _best_first(store: Store, which: int) -> Ints:
    return (store.bids if which == BIDS else store.asks)[:, : store.counts[which]][:, ::-1]


def _apply(store: Store, messages: Messages, number: int) -> None:
    before = [_flow_levels(store, which) for which in SIDES]
    for which in SIDES:
        _apply_side(store, messages, number, which)
    if messages.breaks_flow[number]:
        store.flow[FLOW_BROKEN] = 1
        return
    for which, sign in ((BIDS, 1), (ASKS, -1)):
        (old_keys, old_sizes), (keys, sizes) = before[which], _flow_levels(store, which)
        moved = np.where(keys >= old_keys, sizes, 0) - np.where(keys <= old_keys, old_sizes, 0)
        store.flow[:FLOW_LEVELS] += sign * moved
        left = sizes[0] * (keys[0] == old_keys[0])
        store.flow[REMOVED + which] += max(old_sizes[0] - left, 0) * (keys[0] <= old_keys[0])
    store.flow[FLOW_EVENTS] += 1
    store.flow[FLOW_SNAPSHOTS] += messages.is_snapshot[number]


def _flow_levels(store: Store, which: int) -> tuple[Ints, Floats]:
    keys, sizes = np.full(FLOW_LEVELS, NOWHERE), np.zeros(FLOW_LEVELS)
    best = _best_first(store, which)[:, :FLOW_LEVELS]
    keys[: best.shape[1]], sizes[: best.shape[1]] = best[KEY], best[SIZE] / store.units[1]
    return keys, sizes


def _apply_side(store: Store, messages: Messages, number: int, which: int) -> None:
    starts, told = (messages.bid_starts, messages.bids) if which == BIDS else (messages.ask_starts, messages.asks)
    levels = told[:, starts[number] : starts[number + 1]]
    is_snapshot, depth = bool(messages.is_snapshot[number]), int(messages.depth[number])
    old = store[which][:, : 0 if is_snapshot else store.counts[which]]
    both = np.concatenate([old, levels], axis=1)
    # Of equal keys the last told stands: unique gives the first of the reversed.
    _, last = np.unique(both[KEY, ::-1], return_index=True)
    made = both[:, ::-1][:, last]
    made = made[:, made[SIZE] != 0]
    store.counts[which] = count = made.shape[1]
    store[which][:, :count] = made
    if is_snapshot or depth:
        store.floors[which] = made[KEY, 0] if 0 < depth <= count else NOWHERE


def _read_off(store: Store, ladders: Ladders, out: Instants, row: int) -> None:
    out.counts[row], out.floors[row], out.flow[row] = store.counts, store.floors, store.flow
    store.flow[:] = 0
    for which in SIDES:
        best = _best_first(store, which)
        out.known[row, which] = np.count_nonzero(best[KEY] >= store.floors[which])
        shown = best[:, :SHOWN]
        out.tops[row, which, :, : shown.shape[1]] = shown
        out.tops[row, which, KEY, shown.shape[1] :] = best[KEY, -1] if best.shape[1] else 0
    bid, ask = int(out.tops[row, BIDS, KEY, 0]), -int(out.tops[row, ASKS, KEY, 0])
    if not store.counts.all() or bid + ask <= 0:
        return
    for which, sign in ((BIDS, -1), (ASKS, 1)):
        _bands(store, ladders, out.bands[row, which], which, bid + ask)
        known = _best_first(store, which)[:, : out.known[row, which]]
        prices, sizes = abs(known[KEY]) / store.units[0], known[SIZE] / store.units[1]
        out.totals[row, which] = sizes.sum(), (prices * sizes).sum()
        beyond = sign * (2 * abs(known[KEY]) - (bid + ask)) / 2 / store.units[0]
        out.fills[row, which] = _fills(prices, sizes, beyond, ladders.notionals)
        is_whole = bool(store.floors[which] == NOWHERE)
        for reach, bps in enumerate(ladders.reaches_bps):
            excess = beyond - (bid + ask) / 2 / store.units[0] * bps / BPS
            out.reaches[row, which, reach] = _reach(prices, sizes, excess, is_whole)


def _bands(store: Store, ladders: Ladders, bands: Floats, which: int, twice_mid: int) -> None:
    best = _best_first(store, which)
    sizes = best[SIZE] / store.units[1]
    notionals = abs(best[KEY]) / store.units[0] * sizes
    for band, bps in enumerate(ladders.bands_bps.tolist()):
        # In Python's integers: nothing overflows.
        edge = (
            Fraction(twice_mid * (BPS - bps), 2 * BPS) if which == BIDS else Fraction(-twice_mid * (BPS + bps), 2 * BPS)
        )
        if int(store.floors[which]) <= edge:
            inside = np.count_nonzero(best[KEY] >= math.ceil(edge))
            bands[:, band] = sizes[:inside].sum(), notionals[:inside].sum()


def _fills(prices: Floats, sizes: Floats, beyond: Floats, notionals: Floats) -> Floats:
    spent, bought, cost = (_before(values) for values in (prices * sizes, sizes, sizes * beyond))
    at = np.searchsorted(spent[1:], notionals * (1 - 1e-12))
    inside = at < len(prices)
    made = np.full((2, len(notionals)), np.nan)
    level = at[inside]
    part = (notionals[inside] - spent[level]) / prices[level]
    made[:, inside] = bought[level] + part, cost[level] + part * beyond[level]
    return made


def _before(values: Floats) -> Floats:
    """Return the sum of all values before each, and of all."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _reach(prices: Floats, sizes: Floats, excess: Floats, is_whole: bool) -> float:  # noqa: FBT001  four facts of a side
    slack, spent = _before(-excess * sizes), _before(prices * sizes)
    over = np.flatnonzero((excess > 0) & (slack[:-1] < excess * sizes))
    if len(over):
        first = over[0]
        return float(spent[first] + prices[first] * slack[first] / excess[first])
    return float(spent[-1]) if is_whole else float("nan")
