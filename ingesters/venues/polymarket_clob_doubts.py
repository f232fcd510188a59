"""
What is held against the books of one connection, and what a user is told of it.

A disagreement that lasts is a `gap` from its first moment on; a book that is right again is the `resync`. What heals by
itself within a moment is not told: messages of one event come one after the other, and not in a fixed order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from common.clock import NS_PER_S
from common.records import EventKind, FeedEvent
from ingesters.venues.polymarket_clob_book import Difference, Place, TokenBook
from ingesters.venues.polymarket_clob_ladder import Parsed
from ingesters.venues.polymarket_clob_records import event

CHANNEL = "book"
GRACE_S = 0.5  # the `book` after a trade comes a moment later than changes that know of the trade
EXPLAINED_S = 1.0  # and a change may come after the `book` that holds it: 7 of 10 within 10 ms, the rest within 50

Words = tuple[str, str, str]


@dataclass
class Shown:
    """Levels of a whole book that nobody had told of; the stretch in which that was missed; when it is told."""

    span: tuple[int, int]
    due_ns: int
    levels: dict[Place, Difference]


class Doubts:
    """Which books cannot be believed just now."""

    def __init__(self) -> None:
        self._doubtful: dict[str, TokenBook] = {}
        self._shown: dict[str, Shown] = {}

    def forget(self, token: str) -> None:
        """Hear that a token is wanted no more."""
        self._doubtful.pop(token, None)
        self._shown.pop(token, None)

    def judge(self, book: TokenBook, what: Words | None, at_ns: int, received_ns: int) -> Iterator[FeedEvent]:
        """Begin a doubt, tell one that has lasted, or end one that nobody was told of."""
        if what is None:
            if book.gap_ns is None:
                book.doubt_ns = None
                self._doubtful.pop(book.token, None)
            return
        if book.doubt_ns is None:
            book.doubt_ns, book.doubt_received_ns = at_ns, received_ns
            self._doubtful[book.token] = book
        book.why = what
        yield from self._tell(book, received_ns)

    def show(self, book: TokenBook, levels: dict[Place, Difference], at_ns: int, received_ns: int) -> None:
        """Keep in mind what a whole book shows of messages that were not heard; they may come yet."""
        if not levels or book.gap_ns is not None:
            return
        from_ns = at_ns if book.believed_ns is None else book.believed_ns
        due_ns = received_ns + int(EXPLAINED_S * NS_PER_S)
        shown = self._shown.setdefault(book.token, Shown((from_ns, at_ns), due_ns, {}))
        shown.levels |= levels

    def explain(self, token: str, changes: Iterable[Parsed]) -> None:
        """Hear changes: what a whole book has shown before is explained by them."""
        shown = self._shown.get(token)
        if shown is None:
            return
        for change in changes:
            place = change.is_bid, change.key
            if place in shown.levels and shown.levels[place][1] == float(change.texts[1]):
                del shown.levels[place]
        if not shown.levels:
            del self._shown[token]

    def tick(self, now_ns: int) -> Iterator[FeedEvent]:
        """Say what has lasted too long."""
        for book in list(self._doubtful.values()):
            yield from self._tell(book, now_ns)
        for token, shown in list(self._shown.items()):
            if shown.due_ns <= now_ns:
                del self._shown[token]
                (_, key), (had, has) = next(iter(shown.levels.items()))
                what = (f"{had:g} at {abs(key):g}", f"{has:g}", "a whole book differs where no trade has taken from it")
                yield event("gap", token, shown.span, now_ns, channel=CHANNEL, what=what)
                yield event("resync", token, shown.span, now_ns, channel=CHANNEL, what=("", "", "it was whole again"))

    def gap(self, book: TokenBook, to_ns: int, received_ns: int, what: Words) -> FeedEvent:
        """Tell that a book was wrong, since a disagreement or since it was last known to be right."""
        since_ns = book.believed_ns if book.doubt_ns is None else book.doubt_ns
        book.gap_ns = to_ns if since_ns is None else min(since_ns, to_ns)
        self._doubtful.pop(book.token, None)
        return _event("gap", book, (book.gap_ns, to_ns), received_ns, what)

    def believe(self, book: TokenBook, at_ns: int, received_ns: int) -> Iterator[FeedEvent]:
        """Take a book for right."""
        if book.gap_ns is not None:
            yield _event("resync", book, (book.gap_ns, at_ns), received_ns, ("", "", ""))
        book.believed_ns, book.doubt_ns, book.gap_ns = at_ns, None, None
        self._doubtful.pop(book.token, None)

    def _tell(self, book: TokenBook, now_ns: int) -> Iterator[FeedEvent]:
        if now_ns - book.doubt_received_ns > GRACE_S * NS_PER_S and book.gap_ns is None:
            book.next_ask_ns = min(book.next_ask_ns, now_ns)
            yield self.gap(book, max(book.last_ns, book.doubt_ns or 0), now_ns, book.why)


def _event(kind: EventKind, book: TokenBook, span: tuple[int, int], received_ns: int, what: Words) -> FeedEvent:
    return event(kind, book.token, span, received_ns, channel=CHANNEL, what=what)
