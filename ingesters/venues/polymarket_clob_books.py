"""
All books of one connection: what is stored of each, and how a wrong one is found out and put right.

Every `book` and every change is stored as it came. A disagreement that lasts longer than GRACE_S is told as a `gap`
from its first moment on; a whole book, from the socket or by POST /books, is the `resync`. And because a lost message
leaves no hole, every book is compared with the venue's own answer once in VERIFY_S.
"""

from collections.abc import Iterator

from common.clock import NS_PER_MS, NS_PER_S
from common.records import EventKind, FeedEvent
from ingesters.feed import Step
from ingesters.venues.polymarket_clob_book import MOST_SINCE, Ladder, Parsed, TokenBook, texts_of
from ingesters.venues.polymarket_clob_records import delta_of, event, snapshot_of
from ingesters.venues.polymarket_clob_wire import (
    BookMessage,
    Change,
    RestBook,
    expected_hash,
    milliseconds,
    sides_of,
)

CHANNEL = "book"
GRACE_S = 0.5  # the `book` after a trade comes a moment later than changes that know of the trade
FIRST_BOOK_S = 5.0  # a subscription is answered with a whole book; without one it is asked for
VERIFY_S = 60.0
SETTLE_S = 2.0  # so long an answer that is ahead of the socket waits for the socket
LONGEST_PAUSE_S = 60.0


class Books:
    """The books by token, and which of them have to be asked for."""

    def __init__(self) -> None:
        self.by_token: dict[str, TokenBook] = {}
        self.missed: set[str] = set()  # tokens whose books moved while their socket said nothing
        self._doubtful: dict[str, TokenBook] = {}
        self._settling: dict[str, TokenBook] = {}
        self._hash_is_known = True

    def begin(self, token: str, now_ns: int) -> TokenBook:
        """Return the book of a token; one that was not subscribed to may come in a recording."""
        book = self.by_token.get(token)
        if book is None:
            book = self.by_token[token] = TokenBook(token, now_ns + int(FIRST_BOOK_S * NS_PER_S))
        return book

    def forget(self, token: str) -> None:
        """Hear that a token is wanted no more."""
        for books in (self.by_token, self._doubtful, self._settling):
            books.pop(token, None)

    def hear_book(self, message: BookMessage, received_ns: int) -> Iterator[Step]:
        """Take a whole book from the socket: it is right whatever was before."""
        book = self.by_token.get(message.asset_id) or self.begin(message.asset_id, received_ns)
        at_ms = milliseconds(message.timestamp)
        bids, asks = (texts_of(levels) for levels in sides_of(message))
        book.replace(bids, asks, at_ms)
        book.heard_ns = received_ns
        book.is_asked, book.rest, book.attempts = False, None, 0
        book.since.clear()
        self._settling.pop(book.token, None)
        yield snapshot_of(book.token, (bids, asks), at_ms * NS_PER_MS, received_ns)
        yield from self._believe(book, at_ms * NS_PER_MS, received_ns)
        yield from self._check_hash(message, received_ns)

    def hear_changes(
        self, token: str, changes: list[Change], numbers: list[Parsed], at_ms: int, received_ns: int
    ) -> list[Step]:
        """Take what changed of one token, as it was told and as numbers: the hot path."""
        book = self.by_token.get(token) or self.begin(token, received_ns)
        delta = delta_of(token, changes, at_ms * NS_PER_MS, received_ns)
        steps: list[Step] = []
        if book.rest is not None and at_ms > milliseconds(book.rest.timestamp):
            steps += self._settle(book, received_ns)
        book.apply(numbers, at_ms)
        book.heard_ns = received_ns
        steps.append(delta)
        last = changes[-1]
        what = book.disagreement(last.best_bid, last.best_ask)
        if what is not None or book.doubt_ns is not None:
            steps += self._judge(book, what, at_ms * NS_PER_MS, received_ns)
        return steps

    def check(self, token: str, best: tuple[str, str], event_ns: int, received_ns: int) -> list[Step]:
        """Compare a book with best prices that the venue tells by themselves."""
        book = self.by_token.get(token)
        if book is None or not book.is_based:
            return []
        book.heard_ns = received_ns
        return self._judge(book, book.disagreement(*best), event_ns, received_ns)

    def doubt(self, token: str, received_ns: int) -> None:
        """Have a book compared with the venue's answer soon."""
        book = self.by_token.get(token)
        if book is not None:
            book.next_ask_ns = min(book.next_ask_ns, received_ns)

    def tick(self, now_ns: int) -> Iterator[Step]:
        """Say what time alone brings to light."""
        for book in list(self._doubtful.values()):
            yield from self._tell_gap(book, now_ns)
        for book in list(self._settling.values()):
            if now_ns - book.rest_ns > SETTLE_S * NS_PER_S:
                yield from self._settle(book, now_ns)

    def due(self, now_ns: int) -> list[TokenBook]:
        """Return the books that are to be asked for now, those in doubt first."""
        waiting = [book for book in self.by_token.values() if book.next_ask_ns <= now_ns and not book.is_asked]
        return sorted(waiting, key=lambda book: book.doubt_ns is None and book.is_based)

    def ask(self, book: TokenBook, now_ns: int) -> None:
        """Note that a book is asked for; the next time is a while from now, sooner if it is in doubt."""
        book.is_asked, book.asked_ms = True, book.last_ms
        book.since.clear()
        book.attempts += 1
        is_well = book.is_based and book.doubt_ns is None
        pause_s = VERIFY_S if is_well else min(LONGEST_PAUSE_S, 2.0 ** min(book.attempts, 8))
        book.next_ask_ns = now_ns + int(pause_s * NS_PER_S)

    def answer(self, rest: RestBook, received_ns: int) -> Iterator[Step]:
        """Say what an answer is good for: it may be older than the socket, or ahead of it."""
        book = self.by_token.get(rest.asset_id)
        if book is None or not book.is_asked:  # forgotten, or the socket was quicker
            return
        at_ms = milliseconds(rest.timestamp)
        if at_ms < book.asked_ms or len(book.since) >= MOST_SINCE:
            book.is_asked = False  # older than what was heard before it was asked for, or too much has come since
        elif at_ms > book.last_ms and book.is_based:
            book.rest, book.rest_ns = rest, received_ns
            self._settling[book.token] = book
        else:
            yield from self._take(book, rest, received_ns)
        yield from self._check_hash(rest, received_ns)

    def no_answer(self, token: str) -> None:
        """Hear that the venue has no such book now."""
        book = self.by_token.get(token)
        if book is not None:
            book.is_asked = False

    def _settle(self, book: TokenBook, now_ns: int) -> Iterator[Step]:
        """Take an answer that the socket has caught up with, or has not in time."""
        rest, book.rest = book.rest, None
        self._settling.pop(book.token, None)
        if rest is None:
            return
        if book.last_ms < milliseconds(rest.timestamp) and not _is_same(book, *book.brought_up_to_date(rest)):
            self.missed.add(book.token)
        yield from self._take(book, rest, now_ns)

    def _take(self, book: TokenBook, rest: RestBook, received_ns: int) -> Iterator[Step]:
        book.is_asked = False
        bids, asks = book.brought_up_to_date(rest)
        at_ms = max(book.last_ms, milliseconds(rest.timestamp))
        if not _is_same(book, bids, asks) or not book.is_based:
            if book.is_based and book.gap_ns is None:
                what = (f"{bids.price()} / {asks.price()}", f"{book.bids.price()} / {book.asks.price()}")
                yield self._gap(book, at_ms * NS_PER_MS, received_ns, (*what, "the venue's book is another one"))
            sides = bids.sorted(), asks.sorted()
            yield snapshot_of(book.token, sides, at_ms * NS_PER_MS, received_ns)
            book.replace(*sides, at_ms)
        book.since.clear()
        book.attempts = 0
        book.next_ask_ns = max(book.next_ask_ns, received_ns + int(VERIFY_S * NS_PER_S))
        yield from self._believe(book, at_ms * NS_PER_MS, received_ns)

    def _judge(self, book: TokenBook, what: tuple[str, str, str] | None, at_ns: int, received_ns: int) -> list[Step]:
        """Begin a doubt, tell one that has lasted, or end one that nobody was told of."""
        if what is None:
            if book.gap_ns is None:
                book.doubt_ns = None
                self._doubtful.pop(book.token, None)
            return []
        if book.doubt_ns is None:
            book.doubt_ns, book.doubt_received_ns = at_ns, received_ns
            self._doubtful[book.token] = book
        book.why = what
        return list(self._tell_gap(book, received_ns))

    def _tell_gap(self, book: TokenBook, now_ns: int) -> Iterator[Step]:
        if now_ns - book.doubt_received_ns > GRACE_S * NS_PER_S and book.gap_ns is None:
            book.next_ask_ns = min(book.next_ask_ns, now_ns)
            yield self._gap(book, max(book.last_ms * NS_PER_MS, book.doubt_ns or 0), now_ns, book.why)

    def _gap(self, book: TokenBook, to_ns: int, received_ns: int, what: tuple[str, str, str]) -> FeedEvent:
        """Tell that a book was wrong, since a disagreement or since it was last known to be right."""
        since_ns = book.believed_ns if book.doubt_ns is None else book.doubt_ns
        book.gap_ns = to_ns if since_ns is None else min(since_ns, to_ns)
        self._doubtful.pop(book.token, None)
        return _event("gap", book, (book.gap_ns, to_ns), received_ns, what)

    def _believe(self, book: TokenBook, at_ns: int, received_ns: int) -> Iterator[Step]:
        if book.gap_ns is not None:
            yield _event("resync", book, (book.gap_ns, at_ns), received_ns, ("", "", ""))
        book.believed_ns, book.doubt_ns, book.gap_ns = at_ns, None, None
        self._doubtful.pop(book.token, None)

    def _check_hash(self, told: BookMessage | RestBook, received_ns: int) -> Iterator[Step]:
        """Tell once that the rule of the hashes is another one; a socket's book is compared with an answer."""
        expected = expected_hash(told)
        if expected is None or expected == told.hash:
            return
        self.doubt(told.asset_id, received_ns)
        if self._hash_is_known:
            self._hash_is_known = False
            at_ns = milliseconds(told.timestamp) * NS_PER_MS
            what = (expected, told.hash, "the hash of a book is not the SHA-1 of what was told of it")
            yield event("schema_change", told.asset_id, (at_ns, at_ns), received_ns, channel=CHANNEL, what=what)


def _is_same(book: TokenBook, bids: Ladder, asks: Ladder) -> bool:
    return book.bids.sizes() == bids.sizes() and book.asks.sizes() == asks.sizes()


def _event(
    kind: EventKind, book: TokenBook, span: tuple[int, int], received_ns: int, what: tuple[str, str, str]
) -> FeedEvent:
    return event(kind, book.token, span, received_ns, channel=CHANNEL, what=what)
