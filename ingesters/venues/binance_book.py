"""
The order book rule of Binance spot: which deltas may be stored, and when a snapshot must be asked for.

No book is kept here, only its version. A book is what the last snapshot said, changed by every delta since; so what is
yielded is contiguous (each delta starts at or before the version after the last), or a `gap` says where it is not.
https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#how-to-manage-a-local-order-book-correctly
is right in its numbered steps except the fifth: in most real books the first delta after the snapshot *begins* right
behind it, so the test is `U <= lastUpdateId + 1 <= u`.
"""

from collections.abc import Iterator
from functools import partial

from common.clock import NS_PER_S
from common.records import BookUpdate, FeedEvent
from ingesters.feed import Fetch, Step
from ingesters.venues.binance_depth import WaitingRoom, happened_ns, versions
from ingesters.venues.binance_wire import VENUE
from ingesters.venues.latest import Latest

LONGEST_PAUSE_S = 30.0
CALM_NS = 60 * NS_PER_S

_NO_VERSION = -1
_NOT_YET_NS = 2**63 - 1


class BookSequence:
    """
    One symbol's book, from delta to delta.

    Out of step, deltas wait for a snapshot. No more than `most_waiting` do: beyond that the oldest goes, and the
    snapshot that is on its way must be newer than it, or another is asked for. That loses nothing, for whatever a
    snapshot covers need not be told in deltas. Quotes carry the same update ids, so `last_quote` is kept here too and
    goes when the venue begins its numbering again (a quote has no time that could tell).

    `mark` is the version at which the stored book stands, None if there is none. Deltas up to it are repeats; a delta
    that begins right behind it goes on with the stored book, without a snapshot.
    """

    def __init__(
        self,
        symbol: str,
        request: Fetch,
        *,
        mark: int | None,
        last_quote: int | None,
        is_asked: bool,
        most_waiting: int,
    ) -> None:
        self._event = partial(FeedEvent, venue=VENUE, symbol=symbol, channel="depth")
        self._request = request
        self._last = _NO_VERSION if mark is None else mark
        self._last_event_ns: int | None = None  # unknown for a mark
        self._latest = Latest()
        self._waiting = WaitingRoom(most_waiting)
        self.is_in_step = False  # whether what was yielded makes the venue's book as of the last delta heard
        self.heard = 0  # deltas, whatever became of them
        self._is_asked = is_asked
        self._attempt = 1 if is_asked else 0
        self._answered_ns = 0
        self._gap_from_ns: int | None = None
        self.last_quote = _NO_VERSION if last_quote is None else last_quote

    def hear(self, delta: BookUpdate) -> Iterator[Step]:
        """Say what a delta is good for: nothing, storing, or asking for a snapshot."""
        self.heard += 1
        first, last = versions(delta)
        if last <= self._last:
            if self._is_reset(delta):
                yield from self._begin_again(delta)
        elif first > self._last + 1:
            if self.is_in_step:
                yield self._hole(delta.received_ns, happened_ns(delta), first)
            yield from self._wait(delta)
        else:
            yield from self._go_on(delta)

    def answer(self, snapshot: BookUpdate) -> Iterator[Step]:
        """Say what a snapshot is good for: it may be older than the deltas, or than what is stored."""
        self._is_asked = False
        self._answered_ns = snapshot.received_ns
        if self.is_in_step:  # a late delta has closed the gap, or the stored book went on
            return
        _, version = versions(snapshot)
        valid_ns = self._waiting.drop_covered(version) or snapshot.received_ns
        if (first := self._waiting.first) is not None and first.first_sequence > version + 1:
            yield self._ask(snapshot.received_ns)
        elif version <= self._last:  # the stored book is newer; the next delta will tell whether it goes on
            self.is_in_step = True
        else:
            if self._last != _NO_VERSION and self._gap_from_ns is None:
                yield self._missed_while_away(snapshot, valid_ns)
            self._last = version
            # A slow socket may tell seconds later what a snapshot holds already: no reset before the first new delta.
            self._last_event_ns = _NOT_YET_NS
            yield snapshot
            yield from self._recovered(snapshot.received_ns, valid_ns)
            yield from self._catch_up(snapshot.received_ns)

    def refresh(self, snapshot: BookUpdate) -> Iterator[Step]:
        """Say what a snapshot is good for that nobody needs: to know levels that no delta has told of."""
        _, version = versions(snapshot)
        if self.is_in_step and version > self._last:  # an older one would take back what deltas have said since
            self._last = version
            self._last_event_ns = _NOT_YET_NS
            yield snapshot

    def give_up(self) -> None:
        """Hear that there will be no snapshot: keep no delta for it."""
        self._waiting.close()

    def _go_on(self, delta: BookUpdate) -> Iterator[Step]:
        self._stand_at(delta)
        yield delta
        if not self.is_in_step:
            yield from self._recovered(delta.received_ns, happened_ns(delta))
            yield from self._catch_up(delta.received_ns)

    def _stand_at(self, delta: BookUpdate) -> None:
        _, self._last = versions(delta)
        self._last_event_ns = delta.event_ns
        self._latest.stand_at(happened_ns(delta))

    def _is_reset(self, delta: BookUpdate) -> bool:
        """
        Return whether an old number is a new numbering, and not a repeat.

        A repeat happened before what we have: before the latest delta, or, where only a number survived a restart,
        before this connection heard its first delta, by a clock that may be ahead of ours.
        """
        if self._last_event_ns == _NOT_YET_NS:
            return False
        if self._last_event_ns is None:
            self._last_event_ns = delta.received_ns
        return self._latest.is_passed_by(happened_ns(delta), delta.received_ns)

    def _begin_again(self, delta: BookUpdate) -> Iterator[Step]:
        detail = "the venue began its update ids again"
        first, _ = versions(delta)
        yield self._hole(delta.received_ns, happened_ns(delta), first, detail=detail)
        self._last = _NO_VERSION
        self.last_quote = _NO_VERSION
        self._waiting.clear()
        yield from self._wait(delta)

    def _wait(self, delta: BookUpdate) -> Iterator[Step]:
        self._waiting.enter(delta)
        if not self._is_asked:
            yield self._ask(delta.received_ns)

    def _catch_up(self, received_ns: int) -> Iterator[Step]:
        """Yield the deltas that waited, up to the first hole between them."""
        while (first := self._waiting.first) is not None:
            if first.first_sequence > self._last + 1:
                yield self._hole(received_ns, first.event_ns, first.first_sequence)
                if not self._is_asked:
                    yield self._ask(received_ns)
                return
            delta = self._waiting.take()
            if first.last_sequence > self._last:
                self._stand_at(delta)
                yield delta
        self.is_in_step = True

    def _ask(self, received_ns: int) -> Fetch:
        """Ask for a snapshot: at once after a calm minute, else 1, 2, 4 … 30 s from now."""
        if received_ns - self._answered_ns > CALM_NS:
            self._attempt = 0
        pause_s = min(LONGEST_PAUSE_S, 2.0 ** min(self._attempt - 1, 8)) if self._attempt else 0.0
        self._attempt += 1
        self._is_asked = True
        return self._request._replace(after_s=pause_s)

    def _hole(self, received_ns: int, to_ns: int, found: int, *, detail: str = "") -> FeedEvent:
        self.is_in_step = False
        self._gap_from_ns = to_ns if self._last_event_ns is None else min(self._last_event_ns, to_ns)
        return self._event(
            received_ns=received_ns,
            kind="gap",
            from_ns=self._gap_from_ns,
            to_ns=to_ns,
            expected=str(self._last + 1),
            found=str(found),
            detail=detail,
        )

    def _missed_while_away(self, snapshot: BookUpdate, valid_ns: int) -> FeedEvent:
        self._gap_from_ns = valid_ns
        return self._event(
            received_ns=snapshot.received_ns,
            kind="gap",
            from_ns=valid_ns,
            to_ns=valid_ns,
            expected=str(self._last + 1),
            found=str(snapshot.last_sequence),
            detail="up to the first snapshot of this connection; from the last stored update, whose time is not known",
        )

    def _recovered(self, received_ns: int, valid_ns: int) -> Iterator[FeedEvent]:
        if self._gap_from_ns is not None:
            yield self._event(
                received_ns=received_ns,
                kind="resync",
                from_ns=min(self._gap_from_ns, valid_ns),
                to_ns=valid_ns,
            )
            self._gap_from_ns = None
