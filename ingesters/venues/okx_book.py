"""
The order book rule of OKX: which updates may be stored, and when a fresh snapshot must be asked for.

A snapshot replaces the book. An update goes on with it when its `prevSeqId` is the last `seqId`, whatever its own
number: equal without levels it is a sign of life, smaller it is the start of a new numbering after maintenance.
Anything else is a gap: nothing more is yielded until a snapshot comes.
https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel (sequence id)
"""

from collections.abc import Callable, Iterator
from functools import partial

from common.records import FeedEvent
from ingesters.feed import Step
from ingesters.venues.okx_ladder import Ladder
from ingesters.venues.okx_records import update_of
from ingesters.venues.okx_wire import VENUE, BookRow, venue_ns

DEPTHS = {"books": 400, "books-l2-tbt": 400, "books50-l2-tbt": 50}
PATIENCE = 3  # contradictions after which a witness is not believed any more on this connection

Source = tuple[str, str]  # wire and channel: two tell of one book in different steps and must not be mixed
Renew = Callable[[str, int], Iterator[Step]]


class BookSequence:
    """
    One symbol's book, from update to update.

    `mark` is the number at which the stored book stands, None if there is none. `renew` asks for a fresh snapshot.
    Two witnesses contradict a wrong book: the checksum where it is computed, and the venue's own best levels where they
    carry the number of the book.
    """

    def __init__(self, symbol: str, *, mark: int | None, renew: Renew) -> None:
        self._symbol = symbol
        self._renew = renew
        self._mark = mark
        self._last: int | None = None
        self._event_ns = 0
        self._applied: tuple[int | None, int | None] = (None, None)  # prevSeqId and seqId, to know a repeat
        self._ladder: Ladder | None = None  # None while out of step
        self._source: Source | None = None
        self._top: BookRow | None = None
        self._gap_from_ns: int | None = None
        self._refusals = {"checksum": 0, "top": 0}

    @property
    def is_in_step(self) -> bool:
        """Return whether what was yielded makes the venue's book as of the last update heard."""
        return self._ladder is not None

    def snapshot(self, row: BookRow, source: Source, received_ns: int) -> Iterator[Step]:
        """Say what a snapshot is good for: it starts the book, or replaces it."""
        if self.is_in_step and (source != self._source or self._is_old(row)):
            return
        ladder = Ladder(row)
        self._source = source
        if self._contradicts(row, ladder):
            yield from self._break(row, received_ns, expected=_worded(ladder), found=f"checksum {row.checksum}")
            return
        at_ns = venue_ns(row.time)
        if self._mark is not None and self._gap_from_ns is None and row.sequence != self._mark:
            self._gap_from_ns = at_ns
            yield self._missed_while_away(row, received_ns)
        self._mark = None
        self._ladder, self._last, self._event_ns = ladder, row.sequence, at_ns
        self._applied = (row.previous, row.sequence)
        self._top = None
        yield update_of(row, self._symbol, received_ns, depth=DEPTHS[source[1]])
        if self._gap_from_ns is not None:
            from_ns, self._gap_from_ns = min(self._gap_from_ns, at_ns), None
            yield self._event(source[1])(received_ns=received_ns, kind="resync", from_ns=from_ns, to_ns=at_ns)

    def update(self, row: BookRow, source: Source, received_ns: int) -> Iterator[Step]:
        """Say what an update is good for: storing, or asking for a snapshot."""
        ladder = self._ladder
        if ladder is None or source != self._source:
            return
        if row.previous != self._last:
            if (row.previous, row.sequence) != self._applied and not self._is_old(row):
                yield from self._break(row, received_ns, expected=str(self._last), found=str(row.previous))
            return
        ladder.apply(row)
        if self._contradicts(row, ladder):
            yield from self._break(row, received_ns, expected=_worded(ladder), found=f"checksum {row.checksum}")
            return
        self._applied = (row.previous, row.sequence)
        self._last, self._event_ns = row.sequence, venue_ns(row.time)
        is_sign_of_life = row.sequence is not None and row.sequence == row.previous and not (row.bids or row.asks)
        if not is_sign_of_life:
            yield update_of(row, self._symbol, received_ns, depth=None)
        if self._top is not None:
            yield from self._compare(self._top, ladder, received_ns)

    def top(self, row: BookRow, received_ns: int) -> Iterator[Step]:
        """Compare the book with its best levels as the venue tells them; they may come before their update."""
        if row.sequence is None or self._ladder is None:
            return
        self._top = row
        yield from self._compare(row, self._ladder, received_ns)

    def _compare(self, top: BookRow, ladder: Ladder, received_ns: int) -> Iterator[Step]:
        if top.sequence != self._last or self._refusals["top"] >= PATIENCE:
            return
        self._top = None
        if ladder.has_top(top):
            return
        self._refusals["top"] += 1  # for good: that both tell of one state is what we read, not what we measured
        yield from self._break(top, received_ns, expected=f"the best levels of {top.sequence}", found="others")
        yield from self._dismiss("top", received_ns)

    def _is_old(self, row: BookRow) -> bool:
        """Return whether this was told before: of two sockets that say the same, one may be behind the other."""
        if row.sequence is None or self._last is None:
            return False
        return row.sequence < self._last and venue_ns(row.time) <= self._event_ns

    def _contradicts(self, row: BookRow, ladder: Ladder) -> bool:
        if not row.checksum or self._refusals["checksum"] >= PATIENCE:
            return False
        is_wrong = ladder.checksum != row.checksum
        self._refusals["checksum"] = self._refusals["checksum"] + 1 if is_wrong else 0
        return is_wrong

    def _break(self, row: BookRow, received_ns: int, *, expected: str, found: str) -> Iterator[Step]:
        """Tell a gap, yield nothing from here on, and ask for a snapshot."""
        at_ns = venue_ns(row.time)
        if self._gap_from_ns is None:
            self._gap_from_ns = min(self._event_ns or at_ns, at_ns)
        self._ladder = None
        channel = self._source[1] if self._source else "books"
        yield self._event(channel)(
            received_ns=received_ns,
            kind="gap",
            from_ns=self._gap_from_ns,
            to_ns=at_ns,
            expected=expected,
            found=found,
        )
        yield from self._dismiss("checksum", received_ns)
        yield from self._renew(self._symbol, received_ns)

    def _dismiss(self, witness: str, received_ns: int) -> Iterator[FeedEvent]:
        """Stop believing a witness that contradicts every book, fresh ones too: a venue may change what it computes."""
        if self._refusals[witness] == PATIENCE:
            self._refusals[witness] += 1
            yield self._event("books")(
                received_ns=received_ns,
                kind="schema_change",
                from_ns=received_ns,
                to_ns=received_ns,
                found=witness,
                detail=f"contradicted by {PATIENCE} books: not compared any more on this connection",
            )

    def _missed_while_away(self, row: BookRow, received_ns: int) -> FeedEvent:
        at_ns = venue_ns(row.time)
        return self._event("books")(
            received_ns=received_ns,
            kind="gap",
            from_ns=at_ns,
            to_ns=at_ns,
            expected=str(self._mark),
            found=str(row.sequence),
            detail="up to the first snapshot of this connection; from the last stored update, whose time is not known",
        )

    def _event(self, channel: str) -> Callable[..., FeedEvent]:
        return partial(FeedEvent, venue=VENUE, symbol=self._symbol, channel=channel)


def _worded(ladder: Ladder) -> str:
    """Return the checksum of a book; one that began without cannot be compared, and begins anew."""
    return "none, as at its beginning" if ladder.checksum is None else str(ladder.checksum)
