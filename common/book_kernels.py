"""
Order books, compiled: messages applied to sorted arrays, and books read off at instants.

`common.book_twin` says the same in plain numpy.
"""

import numpy as np

from common.book_compiled import compiled, lower_bound
from common.book_reading import read_off
from common.book_shapes import (
    ASKS,
    BIDS,
    FLOW_BROKEN,
    FLOW_EVENTS,
    FLOW_LEVELS,
    FLOW_SNAPSHOTS,
    KEY,
    NOWHERE,
    REMOVED,
    SIZE,
    Instants,
    Ints,
    Ladders,
    Messages,
    Store,
)


@compiled
def _remove(side: Ints, count: int, at: int) -> int:
    for row in range(3):
        line = side[row, at:count]  # counted from its own start: so the loop is compiled to a few wide moves
        for index in range(len(line) - 1):
            line[index] = line[index + 1]
    return count - 1


@compiled
def _make_place(side: Ints, count: int, at: int) -> int:
    for row in range(3):
        line = side[row, at : count + 1]
        for index in range(len(line) - 1, 0, -1):
            line[index] = line[index - 1]
    return count + 1


@compiled
def _set_level(side: Ints, count: int, level: Ints) -> int:
    """Set one level, or remove it when its size is 0; return the number of levels."""
    at = lower_bound(side[KEY], count, level[KEY])
    is_there = at < count and side[KEY, at] == level[KEY]
    if level[SIZE] == 0:
        return _remove(side, count, at) if is_there else count
    if not is_there:
        count = _make_place(side, count, at)
    for row in range(3):
        side[row, at] = level[row]
    return count


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
def _removed(before: Ints, after: Ints) -> int:
    """Return how much left the best queue: all of it when the best price got worse, nothing when it got better."""
    if after[KEY, 0] > before[KEY, 0]:
        return 0
    left = after[SIZE, 0] if after[KEY, 0] == before[KEY, 0] else 0
    return int(max(before[SIZE, 0] - left, 0))


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
    for which in range(2):
        store.flow[REMOVED + which] += _removed(before[which], after[which]) / store.units[1]


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
            read_off(store, ladders, out, span[2] + cut)
            cut += 1
        if number < span[1]:
            _apply(store, messages, number, tops)
