"""Statistics of books that were asked for whole: each stands for itself, at the time that the venue gives it."""

import numpy as np
import polars as pl

from common.book import Book
from common.book_choice import ALL, Choice
from common.book_engine import engine
from common.book_shapes import AT, ROW_EVENT, ROW_FIELDS, ROW_RECEIVED, Ladders, Messages, no_instants
from common.errors import ScaleOverflow
from processors.processor import Made
from processors.transforms.book_messages import FAULTS, Told, told
from processors.transforms.book_rows import Reading, asked_statistics
from processors.transforms.book_scales import messages, refused, unfitting

STEP_NS = 1  # of a clock that nothing is read from


def rest_book_stats(snapshots: pl.DataFrame, _: pl.DataFrame, *, choice: Choice = ALL) -> Made:
    """
    Return the statistics of each book that came by REST.

    Args:
        snapshots: the fields of BookSnapshot with `offset`. Books that we keep ourselves, and the venues' own tops, are
            passed over: the former stand here already.
        choice: what the operator asks of a book.
    """
    kernels = engine()
    asked = snapshots.filter(pl.col("source") == "rest")
    if asked.is_empty():
        return Made(asked_statistics([], choice, kernels))
    named = asked.with_columns(
        kind=pl.lit("snapshot"),
        last_sequence=pl.col("sequence"),
        event_ns=pl.col("event_ns").fill_null(pl.col("received_ns")),
    )
    batch = told(named, 0, STEP_NS, kernels)
    scaled = messages(batch, batch.digits.T, kernels)
    scaled.breaks_flow[:] = 1  # what happened before is not known
    trouble = batch.faults | unfitting(batch, scaled, (0, len(batch.places)))
    reasons = {number: _reason(batch, number) for number in np.flatnonzero(trouble).tolist()}
    readings = [
        _reading(batch, scaled, number, Book(run.venue, run.symbol), choice.ladders())
        for run in batch.runs
        for number in range(run.first, run.stop)
        if number not in reasons
    ]
    return Made(asked_statistics(readings, choice, kernels), refused(batch, reasons))


def _reason(batch: Told, number: int) -> str:
    fault = int(batch.faults[number])
    return FAULTS[fault] if fault else str(ScaleOverflow("prices and sizes", digits=int(batch.digits[:, number].max())))


def _reading(batch: Told, scaled: Messages, number: int, book: Book, ladders: Ladders) -> Reading:
    prices, sizes = batch.digits[:, number].tolist()
    book.weigh(prices, sizes)
    bids, asks = (int(side.starts[number + 1] - side.starts[number]) for side in batch.sides)
    book.make_room((bids, asks))
    instants = no_instants(1, ladders)
    engine().run(book.store, scaled, np.array([number, number + 1, 0]), np.array([number + 1]), ladders, instants)
    row = np.zeros((1, ROW_FIELDS), np.int64)
    row[0, [AT, ROW_EVENT]] = batch.arrivals.event_ns[number]
    row[0, ROW_RECEIVED] = batch.arrivals.received_ns[number]
    return Reading(book.venue, book.symbol, (prices, sizes), row, [batch.sequences[number]], instants)
