"""
The book processor's state: every book of a shard, kept from its messages and read off at instants of event time.

What it gives for a stretch of records depends on these records and those before alone. Every instant whose time is over
by the shard's clock is told with the batch that brought the clock there, so a state that was saved, restored and turned
on through the same records has told the same.

In a silence the clock goes on to where the next record will find it: as long as the silence lasts, that was received as
much later than all before it. So the same is told, only earlier; a record that was kept somewhere for longer is late:
counted, applied from then on, and no instant is told twice.
"""

from itertools import pairwise

import numpy as np
import polars as pl

from common.book import Book
from common.book_engine import Engine, engine
from common.book_shapes import AT, BEFORE, LAST_EVENT, ROW_FIELDS, Ints, no_instants
from common.clock import NS_PER_S
from common.errors import ScaleOverflow
from common.records import BookUpdate
from common.streams import BOOK_SNAPSHOTS
from processors.book_checkpoint import restored, saved
from processors.book_plan import Plan
from processors.book_stretch import Stretch
from processors.frames import schema_of
from processors.processor import Made
from processors.transforms.book_dumps import snapshots, tops, whole
from processors.transforms.book_messages import Run, told
from processors.transforms.book_rows import Reading, kept_statistics
from processors.transforms.book_scales import messages, refused

MOST_ROWS = 8  # at first: two instants a message are rare
FORGET_NS = 24 * 3600 * NS_PER_S  # a symbol that was silent for so long is gone, as outcome tokens go
NOTHING = pl.DataFrame(schema={**schema_of(BookUpdate), "offset": pl.UInt64()})


class Books:
    """Every book of one shard."""

    def __init__(self, saved_state: bytes = b"", plan: Plan = Plan(), made: Engine | None = None) -> None:  # noqa: B008
        self._engine = made or engine()
        self._plan = plan
        self._ladders = plan.choice.ladders()
        clock_ns, heard_ns, books, self._pasts = restored(saved_state)
        self._clock_ns = clock_ns  # the shard's time, in whole steps of the shortest interval
        self._heard_ns = heard_ns  # what it is by the records alone: in a silence it goes on from there
        self._swept_ns = clock_ns
        self._books: dict[tuple[str, str], Book] = {(book.venue, book.symbol): book for book in books}

    def turn(self, frame: pl.DataFrame, knowledge: pl.DataFrame, /) -> Made:
        """Apply the next BookUpdates of the shard; return the statistics, and the books as snapshots."""
        del knowledge
        every_ns = self._plan.timing.every_ns
        batch = told(frame, self._clock_ns, every_ns, self._engine)
        received_ns = int(batch.arrivals.received_ns.max(initial=self._heard_ns))
        self._heard_ns = received_ns - received_ns % every_ns
        self._clock_ns = max(self._clock_ns, self._heard_ns)
        books = [self._book(run) for run in batch.runs]
        lengths = [run.stop - run.first for run in batch.runs]
        scales = np.array([(book.price_digits, book.size_digits) for book in books], np.int64).reshape(-1, 2)
        stretch = Stretch(batch, messages(batch, np.repeat(scales, lengths, axis=0), self._engine))
        for book, run in zip(books, batch.runs, strict=True):
            self._advance(stretch, book, run)
        self._sweep(stretch)
        rows = kept_statistics(stretch.readings, self._pasts, self._plan.choice, self._engine)
        for name in self._pasts.keys() - self._books.keys():  # what went in this batch has told its last rows
            del self._pasts[name]
        also = {BOOK_SNAPSHOTS: snapshots(stretch.dumps, self._engine)}
        return Made(rows, refused(batch, stretch.reasons), also=also)

    @property
    def oldest_ns(self) -> int:
        """Return the earliest time at which one of the books is."""
        return min(
            (int(book.clock[LAST_EVENT]) for book in self._books.values() if book.is_known), default=self._clock_ns
        )

    def rest(self, silent_ns: int, knowledge: pl.DataFrame, /) -> Made | None:
        """
        Let the time go on to `silent_ns` behind the newest record, and tell what is over by then; None for nothing.

        That is done when the last change of every book is over, each time the silence is twice as long, and when no
        book will be told any more: the state goes with each, and it is large.
        """
        timing, told_ns = self._plan.timing, self._clock_ns - self._heard_ns
        first_ns = timing.grace_ns + timing.every_ns
        last_ns = first_ns + timing.stale_ns
        if told_ns >= last_ns or silent_ns < min(max(first_ns, 2 * told_ns), last_ns):
            return None
        clock_ns = self._heard_ns + min(silent_ns, last_ns) // timing.every_ns * timing.every_ns
        if not any(book.is_due(clock_ns, timing) for book in self._books.values()):
            return None
        self._clock_ns = clock_ns
        return self.turn(NOTHING, knowledge)

    def save(self) -> bytes:
        """Return the shard's time and every book."""
        books = [self._books[name] for name in sorted(self._books)]
        return saved((self._clock_ns, self._heard_ns), books, self._pasts)

    def _book(self, run: Run) -> Book:
        name = (run.venue, run.symbol)
        if name not in self._books:
            self._books[name] = Book(*name)
        return self._books[name]

    def _advance(self, stretch: Stretch, book: Book, run: Run) -> None:
        """Apply one symbol's messages; at one that cannot be read, or after a day of silence, the book is lost."""
        clocks, first = stretch.batch.arrivals.clock_ns, run.first
        ends = stretch.breaks(run, book.last_heard_ns, FORGET_NS)
        for end, stop in pairwise([*ends, run.stop, run.stop]):
            self._live(stretch, book, (first, end), int(clocks[end]) if end < run.stop else self._clock_ns)
            if end < run.stop:
                first = end + stretch.refuse(end)
                self._lose(stretch, book, (first, stop))

    def _lose(self, stretch: Stretch, book: Book, span: tuple[int, int]) -> None:
        book.lose()
        stretch.rescale(span, (book.price_digits, book.size_digits), self._engine)

    def _live(self, stretch: Stretch, book: Book, span: tuple[int, int], end_ns: int) -> None:
        """Apply messages that can be read; what does not fit is set aside, and the book unknown until a snapshot."""
        first, stop = span
        while True:
            if not book.is_known:
                first = stretch.first_snapshot(first, stop)
            trouble = stretch.first_unfit(first, stop)
            if trouble > first and not book.is_known:
                book.is_known = True
                stretch.scaled.breaks_flow[first] = 1
            clocks = stretch.batch.arrivals.clock_ns
            if book.is_known:
                self._apply(stretch, book, (first, trouble), int(clocks[trouble]) if trouble < stop else end_ns)
            if trouble == stop:
                return
            first = trouble
            if not self._mend(stretch, book, (trouble, stop)):
                first = trouble + 1
                self._lose(stretch, book, (first, stop))

    def _mend(self, stretch: Stretch, book: Book, span: tuple[int, int]) -> bool:
        """Make a book fine enough for a message and those after it; return whether the message can be applied then."""
        number, _ = span
        prices, sizes = stretch.batch.digits[:, number].tolist()
        try:
            if stretch.scaled.is_snapshot[number] and not book.can_refine(prices, sizes):
                book.lose()  # it is replaced anyway
            book.refine(prices, sizes)
            stretch.rescale(span, (book.price_digits, book.size_digits), self._engine)
            stretch.judge(number)
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
            if book.is_due(self._clock_ns, self._plan.timing):
                self._apply(stretch, book, (0, 0), self._clock_ns)
            if book.is_gone(self._clock_ns, FORGET_NS):
                del self._books[name]
