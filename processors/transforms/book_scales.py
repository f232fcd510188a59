"""Messages in the integers of their books' scales: what does not fit is found here."""

import numpy as np
import polars as pl

from common.book_engine import Engine
from common.book_shapes import ASKS, KEY, LARGEST, ORDERS, Ints, Messages
from processors.processor import REFUSED_SCHEMA
from processors.transforms.book_messages import Side, Told, most_of


def messages(batch: Told, digits: Ints, engine: Engine) -> Messages:
    """
    Return the messages as the kernels take them; a level that does not fit is LARGEST + 1.

    Args:
        batch: what was told.
        digits: (messages, 2): behind the point, that prices and sizes of each message get.
        engine: the kernels.
    """
    numbered = np.array([sequence is not None for sequence in batch.sequences], np.int64)
    # A venue that numbers its messages sends a snapshot only at the start and after a break. One that does not sends
    # them in the middle of its flow.
    breaks_flow = batch.arrivals.is_snapshot * numbered
    starts = [side.starts for side in batch.sides]
    levels = []
    for which, side in enumerate(batch.sides):
        made = np.zeros((3, len(side.orders)), np.int64)
        made[ORDERS] = side.orders
        _scale(side, which, np.repeat(digits, np.diff(side.starts), axis=0), made, engine)
        levels.append(made)
    return Messages(batch.arrivals.is_snapshot, batch.depths, breaks_flow, *starts, *levels)


def rescale(batch: Told, made: Messages, span: tuple[int, int], digits: tuple[int, int], engine: Engine) -> None:
    """Write the levels of some messages again, with so many digits behind the point."""
    for which, (side, levels) in enumerate(zip(batch.sides, (made.bids, made.asks), strict=True)):
        part = slice(*side.starts[list(span)].tolist())
        count = part.stop - part.start
        written = np.zeros((3, count), np.int64)
        _scale(side.part(part), which, np.tile(digits, (count, 1)), written, engine)
        levels[:ORDERS, part] = written[:ORDERS]


def _scale(side: Side, which: int, digits: Ints, levels: Ints, engine: Engine) -> None:
    for row, numbers in enumerate((side.prices, side.sizes)):
        engine.scale_numbers(*numbers, digits[:, row].copy(), levels[row])
    if which == ASKS:
        levels[KEY] *= -1


def unfitting(batch: Told, made: Messages, span: tuple[int, int]) -> Ints:
    """Return whether each of some messages has a level that does not fit its scale."""
    found = np.zeros(span[1] - span[0], np.int64)
    for side, levels in zip(batch.sides, (made.bids, made.asks), strict=True):
        starts = side.starts[span[0] : span[1] + 1]
        keys, sizes = levels[:ORDERS, starts[0] : starts[-1]]
        if keys.min(initial=0) < -LARGEST or max(keys.max(initial=0), sizes.max(initial=0)) > LARGEST:  # hardly ever
            found |= most_of(np.maximum, np.maximum(abs(keys), sizes), starts - starts[0]) > LARGEST
    return found


def refused(batch: Told, reasons: dict[int, str]) -> pl.DataFrame:
    """Return (offset, reason) of messages that are set aside, by their number."""
    rows = [(int(batch.places[number]), reason) for number, reason in sorted(reasons.items())]
    return pl.DataFrame(rows, schema=REFUSED_SCHEMA, orient="row")
