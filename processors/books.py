"""
The book processor's state: every book of a shard, kept from its messages and read off at instants of event time.

What it gives for a stretch of records depends on these records and those before alone. Every instant whose time is over
by the shard's clock is told with the batch that brought the clock there, so a state that was saved, restored and turned
on through the same records has told the same.
"""

import numpy as np
import polars as pl

from common.book import Book
from common.book_engine import Engine, engine
from common.book_shapes import (
    AT,
    BEFORE,
    ROW_FIELDS,
    Ints,
    Messages,
    no_instants,
)
from common.clock import NS_PER_S
from common.errors import ScaleOverflow
from common.streams import BOOK_SNAPSHOTS
from processors.book_checkpoint import restored, saved
from processors.book_plan import Plan
from processors.processor import Made
from processors.transforms.book_dumps import Dump, snapshots, tops, whole
from processors.transforms.book_messages import FAULTS, Run, Told, told
from processors.transforms.book_rows import Reading, kept_statistics
from processors.transforms.book_scales import messages, refused, rescale, unfitting

MOST_ROWS = 8  # at first: two instants a message are rare
FORGET_NS = 24 * 3600 * NS_PER_S  # a symbol that was silent for so long is gone, as outcome tokens go


class Stretch:
    """The messages of a batch, and what the books gave on the way."""

    def __init__(self, batch: Told, scaled: Messages) -> None:
        self.batch = batch
        self.scaled = scaled
        self.unfit = unfitting(batch, scaled, (0, len(batch.places)))
        self.reasons: dict[int, str] = {}
        self.readings: list[Reading] = []
        self.dumps: list[Dump] = []

    def judge(self, number: int, stop: int) -> None:
        """See again what does not fit from a message on; raise ScaleOverflow when it does not itself."""
        self.unfit[number:stop] = unfitting(self.batch, self.scaled, (number, stop))
        if self.unfit[number]:
            raise ScaleOverflow("prices and sizes", digits=int(self.batch.digits[:, number].max()))

    def levels(self, first: int, stop: int) -> tuple[int, int]:
        """Return how many levels a side these messages tell."""
        bids, asks = (int(side.starts[stop] - side.starts[first]) for side in self.batch.sides)
        return bids, asks

    def first_trouble(self, first: int, stop: int) -> int:
        """Return the first message from `first` on that cannot be applied as it is; `stop` if there is none."""
        trouble = np.flatnonzero(self.batch.faults[first:stop] | self.unfit[first:stop])
        return first + int(trouble[0]) if len(trouble) else stop


class Books:
    """Every book of one shard."""

    def __init__(self, saved_state: bytes = b"", plan: Plan = Plan(), made: Engine | None = None) -> None:  # noqa: B008
        self._engine = made or engine()
        self._plan = plan
        self._ladders = plan.choice.ladders()
        clock_ns, books, self._pasts = restored(saved_state)
        self._clock_ns = clock_ns  # the shard's time, in whole steps of the shortest interval
        self._swept_ns = clock_ns
        self._books: dict[tuple[str, str], Book] = {(book.venue, book.symbol): book for book in books}

    def turn(self, frame: pl.DataFrame, knowledge: pl.DataFrame, /) -> Made:
        """Apply the next BookUpdates of the shard; return the statistics, and the books as snapshots."""
        del knowledge
        if frame.is_empty():
            return Made(self._rows([]), also={BOOK_SNAPSHOTS: snapshots([], self._engine)})
        batch = told(frame, self._clock_ns, self._plan.timing.every_ns, self._engine)
        self._clock_ns = int(batch.arrivals.clock_ns.max())
        books = [self._book(run) for run in batch.runs]
        lengths = [run.stop - run.first for run in batch.runs]
        digits = np.repeat(np.array([(book.price_digits, book.size_digits) for book in books]), lengths, axis=0)
        stretch = Stretch(batch, messages(batch, digits, self._engine))
        for book, run in zip(books, batch.runs, strict=True):
            self._advance(stretch, book, run)
        self._sweep(stretch)
        rows = self._rows(stretch.readings)
        for name in self._pasts.keys() - self._books.keys():  # what went in this batch has told its last rows
            del self._pasts[name]
        also = {BOOK_SNAPSHOTS: snapshots(stretch.dumps, self._engine)}
        return Made(rows, refused(batch, stretch.reasons), also=also)

    def save(self) -> bytes:
        """Return the shard's time and every book."""
        return saved(self._clock_ns, [self._books[name] for name in sorted(self._books)], self._pasts)

    def _rows(self, readings: list[Reading]) -> pl.DataFrame:
        return kept_statistics(readings, self._pasts, self._plan.choice, self._engine)

    def _book(self, run: Run) -> Book:
        name = (run.venue, run.symbol)
        if name not in self._books:
            self._books[name] = Book(*name)
        return self._books[name]

    def _advance(self, stretch: Stretch, book: Book, run: Run) -> None:
        """Apply one symbol's messages; what cannot be applied is set aside, and the book unknown from there on."""
        first = run.first
        while first < run.stop:
            if not book.is_known:
                first = self._until_snapshot(stretch, first, run.stop)
            trouble = stretch.first_trouble(first, run.stop)
            if trouble > first and not book.is_known:
                book.is_known = True
                stretch.scaled.breaks_flow[first] = 1
            clocks = stretch.batch.arrivals.clock_ns
            if book.is_known:
                self._apply(
                    stretch, book, (first, trouble), int(clocks[trouble] if trouble < run.stop else self._clock_ns)
                )
            first = trouble
            if trouble < run.stop and not self._mend(stretch, book, trouble, run.stop):
                book.lose()
                first = trouble + 1

    def _until_snapshot(self, stretch: Stretch, first: int, stop: int) -> int:
        """Pass over what says nothing without a snapshot before it; what cannot be read is set aside all the same."""
        snapshots_at = np.flatnonzero(stretch.scaled.is_snapshot[first:stop])
        found = first + int(snapshots_at[0]) if len(snapshots_at) else stop
        for number in (np.flatnonzero(stretch.batch.faults[first:found]) + first).tolist():
            stretch.reasons[number] = FAULTS[int(stretch.batch.faults[number])]
        return found

    def _mend(self, stretch: Stretch, book: Book, number: int, stop: int) -> bool:
        """Make a book fine enough for a message and those after it; return whether the message can be applied then."""
        fault = int(stretch.batch.faults[number])
        if fault:
            stretch.reasons[number] = FAULTS[fault]
            return False
        prices, sizes = stretch.batch.digits[:, number].tolist()
        try:
            if stretch.scaled.is_snapshot[number] and not book.can_refine(prices, sizes):
                book.lose()  # it is replaced anyway
            book.refine(prices, sizes)
            rescale(stretch.batch, stretch.scaled, (number, stop), (book.price_digits, book.size_digits), self._engine)
            stretch.judge(number, stop)
        except ScaleOverflow as error:
            stretch.reasons[number] = str(error)
            return False
        return True

    def _apply(self, stretch: Stretch, book: Book, span: tuple[int, int], end_ns: int) -> None:
        """Apply messages that fit, and read the book off at every instant that is over by the shard's time."""
        first, stop = span
        rows = self._timetable(stretch, book, span, end_ns)
        told_before = [book.sequence, *stretch.batch.sequences[first:stop]]
        sequences = [told_before[before - first] for before in rows[:, BEFORE].tolist()]
        book.make_room(stretch.levels(first, stop))
        cuts, instants, done = rows[:, BEFORE].copy(), no_instants(len(rows), self._ladders), 0
        for row in np.flatnonzero(rows[:, AT] % self._plan.whole_ns == 0).tolist():
            part = np.array([first, cuts[row], done])
            self._engine.run(book.store, stretch.scaled, part, cuts[done : row + 1], self._ladders, instants)
            stretch.dumps.append(whole(book, rows[row], sequences[row]))
            first, done = int(cuts[row]), row + 1
        part = np.array([first, stop, done])
        self._engine.run(book.store, stretch.scaled, part, cuts[done:], self._ladders, instants)
        book.sequence = told_before[-1]
        if len(rows):
            digits = (book.price_digits, book.size_digits)
            reading = Reading(book.venue, book.symbol, digits, rows, sequences, instants)
            stretch.readings.append(reading)
            stretch.dumps.append(tops(reading, self._plan.top_ns))

    def _timetable(self, stretch: Stretch, book: Book, span: tuple[int, int], end_ns: int) -> Ints:
        part, arrivals, timing = np.array([*span, end_ns]), stretch.batch.arrivals, self._plan.timing
        rows = np.zeros((span[1] - span[0] + MOST_ROWS, ROW_FIELDS), np.int64)
        before = book.clock.copy()
        count = self._engine.timetable(book.clock, arrivals, part, timing, rows)
        if count > len(rows):  # after a long silence
            book.clock = before
            rows = np.zeros((count, ROW_FIELDS), np.int64)
            self._engine.timetable(book.clock, arrivals, part, timing, rows)
        return rows[:count]

    def _sweep(self, stretch: Stretch) -> None:
        """Read off the books that no message came for, as far as the shard's time has gone on."""
        if self._clock_ns == self._swept_ns:
            return
        self._swept_ns = self._clock_ns
        for name, book in list(self._books.items()):
            if book.is_gone(self._clock_ns, FORGET_NS):
                del self._books[name]
            elif book.is_due(self._clock_ns, self._plan.timing):
                self._apply(stretch, book, (0, 0), self._clock_ns)
