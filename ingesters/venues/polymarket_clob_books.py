"""
All books of one connection: what is stored of each, and how a wrong one is put right.

Every `book` and every change is stored as it came. A whole book, from the socket or by POST /books, puts right what was
missed. And because a lost message leaves no hole, every book is compared with the venue's own answer once in VERIFY_S.
"""

from collections.abc import Iterable, Iterator

from common.clock import NS_PER_MS, NS_PER_S
from ingesters.feed import Step
from ingesters.venues.polymarket_clob_book import MOST_SINCE, TokenBook
from ingesters.venues.polymarket_clob_doubts import CHANNEL, Doubts
from ingesters.venues.polymarket_clob_hash import expected_hash
from ingesters.venues.polymarket_clob_ladder import Ladder, Parsed, texts_of
from ingesters.venues.polymarket_clob_records import delta_of, event, snapshot_of
from ingesters.venues.polymarket_clob_wire import (
    BookMessage,
    Change,
    RestBook,
    milliseconds,
    sides_of,
)

FIRST_BOOK_S = 5.0  # a subscription is answered with a whole book; without one it is asked for
VERIFY_S = 60.0
LATE_S = 5.0  # times go back now and then; whether that is a mere stamp or another order, an answer will tell
SETTLE_S = 2.0  # so long an answer that is ahead of the socket waits for the socket
LONGEST_PAUSE_S = 60.0


class Books:
    """The books by token, and which of them have to be asked for."""

    def __init__(self) -> None:
        self.by_token: dict[str, TokenBook] = {}
        self.missed: set[str] = set()  # tokens whose books moved while their socket said nothing
        self._doubts = Doubts()
        self._settling: dict[str, TokenBook] = {}
        self._hash_is_known = True
        self._gone: frozenset[str] = frozenset()

    def begin(self, token: str, now_ns: int) -> TokenBook:
        """Return the book of a token; one that was not subscribed to may come in a recording."""
        book = self.by_token.get(token)
        if book is None:
            book = self.by_token[token] = TokenBook(token, now_ns + int(FIRST_BOOK_S * NS_PER_S))
        return book

    def choose(self, wanted: Iterable[str], gone: Iterable[str], now_ns: int) -> None:
        """Hear which tokens are wanted; what still comes of one that has gone is not heard."""
        self._gone = frozenset(gone)
        for token in self._gone:
            self.by_token.pop(token, None)
            self._settling.pop(token, None)
            self._doubts.forget(token)
        for token in wanted:
            self.begin(token, now_ns)

    def hear_book(self, message: BookMessage, received_ns: int) -> Iterator[Step]:
        """Take a whole book from the socket."""
        if message.asset_id in self._gone:
            return
        book = self.by_token.get(message.asset_id) or self.begin(message.asset_id, received_ns)
        at_ms = milliseconds(message.timestamp)
        bids, asks = (texts_of(levels) for levels in sides_of(message))
        if book.is_based:
            self._doubts.show(book, book.unheard(bids, asks), at_ms * NS_PER_MS, received_ns)
        is_late = at_ms < book.last_ms
        book.replace(bids, asks, at_ms)
        book.heard_ns = received_ns
        book.settle()
        self._settling.pop(book.token, None)
        yield snapshot_of(book.token, (bids, asks), at_ms * NS_PER_MS, received_ns)
        yield from self._doubts.believe(book, at_ms * NS_PER_MS, received_ns)
        yield from self._check_hash(message, received_ns)
        if is_late:
            self.doubt(book.token, received_ns)

    def hear_changes(
        self, token: str, changes: list[Change], numbers: list[Parsed], at_ms: int, received_ns: int
    ) -> list[Step]:
        """Take what changed of one token, as it was told and as numbers: the hot path."""
        steps: list[Step] = []
        if token in self._gone:
            return steps
        book = self.by_token.get(token) or self.begin(token, received_ns)
        if book.rest is not None and at_ms > milliseconds(book.rest.timestamp):
            steps += self._settle(book, received_ns)
        if at_ms < book.last_ms:
            self.doubt(token, received_ns + int(LATE_S * NS_PER_S))
        self._doubts.explain(token, numbers)
        book.apply(numbers, at_ms)
        book.heard_ns = received_ns
        steps.append(delta_of(token, changes, at_ms * NS_PER_MS, received_ns))
        last = changes[-1]
        what = book.disagreement(last.best_bid, last.best_ask)
        if what is not None or book.doubt_ns is not None:
            steps += self._doubts.judge(book, what, at_ms * NS_PER_MS, received_ns)
        return steps

    def check(self, token: str, best: tuple[str, str], event_ns: int, received_ns: int) -> Iterator[Step]:
        """Compare a book with best prices that the venue tells by themselves."""
        book = self.by_token.get(token)
        if book is not None and book.is_based:
            book.heard_ns = received_ns
            yield from self._doubts.judge(book, book.disagreement(*best), event_ns, received_ns)

    def doubt(self, token: str, at_ns: int) -> None:
        """Have a book compared with the venue's answer, at this moment of ours or before."""
        book = self.by_token.get(token)
        if book is not None:
            book.next_ask_ns = min(book.next_ask_ns, at_ns)

    def tick(self, now_ns: int) -> Iterator[Step]:
        """Say what time alone brings to light."""
        yield from self._doubts.tick(now_ns)
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
        if book.last_ms < milliseconds(rest.timestamp) and not book.is_like(*book.brought_up_to_date(rest)):
            self.missed.add(book.token)
        yield from self._take(book, rest, now_ns)

    def _take(self, book: TokenBook, rest: RestBook, received_ns: int) -> Iterator[Step]:
        bids, asks = book.brought_up_to_date(rest)
        at_ms = max(book.last_ms, milliseconds(rest.timestamp))
        if not book.is_based or not book.is_like(bids, asks):
            if book.is_based and book.gap_ns is None:
                yield self._doubts.gap(book, at_ms * NS_PER_MS, received_ns, _other(bids, asks, book))
            sides = bids.sorted(), asks.sorted()
            yield snapshot_of(book.token, sides, at_ms * NS_PER_MS, received_ns)
            book.replace(*sides, at_ms)
        book.settle()
        book.next_ask_ns = max(book.next_ask_ns, received_ns + int(VERIFY_S * NS_PER_S))
        yield from self._doubts.believe(book, at_ms * NS_PER_MS, received_ns)

    def _check_hash(self, told: BookMessage | RestBook, received_ns: int) -> Iterator[Step]:
        """Tell once that the rule of the hashes is another one; a socket's book is compared with an answer."""
        expected = expected_hash(told)
        if expected is None or expected == told.hash:
            return
        if isinstance(told, BookMessage):
            self.doubt(told.asset_id, received_ns)
        if self._hash_is_known:
            self._hash_is_known = False
            at_ns = milliseconds(told.timestamp) * NS_PER_MS
            what = (expected, told.hash, "the hash of a book is not the SHA-1 of what was told of it")
            yield event("schema_change", told.asset_id, (at_ns, at_ns), received_ns, channel=CHANNEL, what=what)


def _other(bids: Ladder, asks: Ladder, ours: TokenBook) -> tuple[str, str, str]:
    expected, found = f"{bids.price()} / {asks.price()}", f"{ours.bids.price()} / {ours.asks.price()}"
    return expected, found, "the venue's book is another one"
