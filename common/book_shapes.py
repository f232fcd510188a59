"""What the book kernels work on: arrays of one book, of messages to apply, and of what is read off at an instant."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

NOWHERE = int(np.iinfo(np.int64).min)  # a key below every price: the floor of a side that is known to its end
LARGEST = 2**62 - 1  # of a scaled price or size: the sum of two still fits 64 bits
BPS = 10_000
SHOWN = 20  # levels a side that are read off one by one
FLOW_LEVELS = 5
BIDS, ASKS = 0, 1
KEY, SIZE, ORDERS = 0, 1, 2
FLOW_EVENTS, FLOW_SNAPSHOTS, FLOW_BROKEN = FLOW_LEVELS, FLOW_LEVELS + 1, FLOW_LEVELS + 2
REMOVED = FLOW_LEVELS + 3  # and the field behind it: what left the best queue of bids, and of asks
FLOW_FIELDS = FLOW_LEVELS + 5

MOST_DIGITS = 18  # behind the point
MOST_BYTES = MOST_DIGITS + 3  # of a number as text: one figure more, a point
UNREADABLE, TOO_LONG = -1, -2  # in place of a number of digits

# The clock of a book: how far its instants are told, the newest event and what the shard's time was then, when its
# newest message came, and the messages since the last row, with the late ones among them; and whether the time is ours,
# as the venue has told none yet.
CLOSED, LAST_EVENT, LAST_CLOCK, LAST_RECEIVED, UPDATES, LATE, IS_OURS = range(7)
CLOCK_FIELDS = 7
# A row of the timetable: the instant, before which message it is, and of the clock what the row tells.
AT, BEFORE, ROW_EVENT, ROW_RECEIVED, ROW_UPDATES, ROW_LATE = range(6)
ROW_FIELDS = 6


class Store(NamedTuple):
    """
    One book. A side has rows of keys (ascending, best last), sizes and orders; a bid's key is its scaled price, an
    ask's is that price negated, so that both sides are worked on alike.
    """  # noqa: D205  one thought

    bids: Ints  # (3, capacity)
    asks: Ints
    counts: Ints  # (2,): levels a side
    floors: Ints  # (2,): the lowest key that the last limited snapshot told of; below it the book is unknown
    units: Floats  # (2,): what a price and a size of 1 are as scaled integers
    flow: Floats  # (FLOW_FIELDS,): order flow since the last instant


class Messages(NamedTuple):
    """Messages of a batch, each a run of levels a side: `starts[i]` to `starts[i + 1]`; keys are scaled already."""

    is_snapshot: Ints  # (messages,)
    depth: Ints  # levels to which the venue limits the book, 0 if it does not say
    breaks_flow: Ints  # what happened before this message is not known
    bid_starts: Ints  # (messages + 1,)
    ask_starts: Ints
    bids: Ints  # (3, levels): keys, sizes, orders
    asks: Ints


class Timing(NamedTuple):
    """When books are read off, in nanoseconds."""

    every_ns: int  # when something changed
    always_ns: int  # also when nothing did
    grace_ns: int  # how long after an instant its messages may still come
    stale_ns: int  # a book that was silent for so long is told no more


class Arrivals(NamedTuple):
    """When the messages of a batch happened and came."""

    event_ns: Ints  # NOWHERE where the venue does not say
    received_ns: Ints
    clock_ns: Ints  # the shard's time: the largest received_ns so far
    is_snapshot: Ints


class Ladders(NamedTuple):
    """What is asked of a book: distances from the mid, amounts to trade, average prices to stay within."""

    bands_bps: Ints  # ascending
    notionals: Floats  # ascending, in quote currency
    reaches_bps: Floats  # ascending


class Instants(NamedTuple):
    """What books answer at instants, a row each; NaN where the book does not reach far enough."""

    tops: Ints  # (rows, side, 3, SHOWN); behind the last level its key is repeated with size 0
    counts: Ints  # (rows, 2)
    floors: Ints  # (rows, 2)
    known: Ints  # (rows, 2): levels at or above the floor
    bands: Floats  # (rows, side, base and notional, bands)
    totals: Floats  # (rows, side, base and notional): of all levels that are known
    fills: Floats  # (rows, side, base currency and what it costs beyond the mid, notionals)
    reaches: Floats  # (rows, side, reaches): notional
    flow: Floats  # (rows, FLOW_FIELDS)


class Levels(NamedTuple):
    """The best levels of one side at instants, best first, a row each; a missing one has no size, at the last price."""

    prices: Floats  # (rows, SHOWN)
    sizes: Floats
    sums: Floats  # of sizes up to each level
    notional_sums: Floats
    distances_bps: Floats  # from the mid
    steps: Floats  # (rows, SHOWN - 1): from each level to the next one's price
    elasticities: Floats  # part that the next level adds to the size so far, by the part of the price to there


def no_levels(rows: int) -> Levels:
    """Return room for levels."""
    widths = {name: SHOWN - (name in ("steps", "elasticities")) for name in Levels._fields}
    return Levels(**{name: np.empty((rows, width)) for name, width in widths.items()})


def no_instants(rows: int, ladders: Ladders) -> Instants:
    """Return room for instants."""
    bands, notionals, reaches = (len(ladder) for ladder in ladders)
    return Instants(
        np.zeros((rows, 2, 3, SHOWN), np.int64),
        np.zeros((rows, 2), np.int64),
        np.zeros((rows, 2), np.int64),
        np.zeros((rows, 2), np.int64),
        np.full((rows, 2, 2, bands), np.nan),
        np.full((rows, 2, 2), np.nan),
        np.full((rows, 2, 2, notionals), np.nan),
        np.full((rows, 2, reaches), np.nan),
        np.zeros((rows, FLOW_FIELDS)),
    )


def no_book(capacity: int = 16) -> Store:
    """Return an empty book whose prices and sizes are whole numbers."""
    side = np.zeros((3, capacity), np.int64)
    return Store(side, side.copy(), np.zeros(2, np.int64), np.full(2, NOWHERE), np.ones(2), np.zeros(FLOW_FIELDS))
