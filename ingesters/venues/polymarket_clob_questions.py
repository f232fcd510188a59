"""Questions for books: POST /books, many tokens at a time, and what becomes of those that the venue leaves out."""

from collections.abc import Iterable, Iterator
from itertools import count

import msgspec

from common.errors import BadAnswer
from ingesters.feed import Fetch, Frame, Step
from ingesters.venues.polymarket_clob_books import Books
from ingesters.venues.polymarket_clob_fields import Watch
from ingesters.venues.polymarket_clob_records import told
from ingesters.venues.polymarket_clob_wire import ELEMENTS, REST_BOOKS, VENUE

BOOKS = "books:"
TOKENS_A_QUESTION = 100
MOST_QUESTIONS = 10  # a tick
OK = 200
REFUSALS = (400, 404)  # too many, or one that is no token, spoils the whole question


class BookQuestions:
    """What was asked and is not answered yet."""

    def __init__(self, clob_url: str, books: Books, watch: Watch) -> None:
        self._url = f"{clob_url}/books"
        self._books = books
        self._watch = watch
        self._numbers = count(1)
        self._open: dict[str, list[str]] = {}
        self._refused: set[str] = set()

    def due(self, now_ns: int) -> Iterator[Step]:
        """Ask for the books that are to be asked for now."""
        due = self._books.due(now_ns)[: TOKENS_A_QUESTION * MOST_QUESTIONS]
        for start in range(0, len(due), TOKENS_A_QUESTION):
            part = due[start : start + TOKENS_A_QUESTION]
            for book in part:
                self._books.ask(book, now_ns)
            yield self._question([book.token for book in part])

    def answer(self, frame: Frame) -> Iterator[Step]:
        """
        Take an answer; it is in no order, and tokens that the venue does not know are left out.

        Raises:
            BadAnswer: it is no list of books.
        """
        key = frame.reply_to or ""
        tokens = self._open.get(key, [])
        if frame.status != OK:
            del self._open[key]
            yield from self._refuse(frame, tokens)
            return
        try:
            rests = REST_BOOKS.decode(frame.payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadAnswer(VENUE, reason=f"expected books: {error}") from error
        self._open.pop(key, None)
        for rest in rests:
            yield from self._books.answer(rest, frame.received_ns)
        for token in {*tokens} - {rest.asset_id for rest in rests}:
            self._books.no_answer(token)
        if rests and self._watch.is_due("books"):
            yield from self._watch.look("books", bytes(ELEMENTS.decode(frame.payload)[0]), frame.received_ns)

    def _refuse(self, frame: Frame, tokens: list[str]) -> Iterator[Step]:
        """Ask for both halves by themselves; a single token that is refused is told once."""
        if len(tokens) > 1:
            middle = len(tokens) // 2
            yield self._question(tokens[:middle])
            yield self._question(tokens[middle:])
            return
        for token in tokens:
            self._books.no_answer(token)
            if token not in self._refused:
                self._refused.add(token)
                detail = f"{frame.status} {frame.payload[:200].decode(errors='replace')}"
                yield told("refused", frame, channel="books", detail=detail, symbol=token)

    def _question(self, tokens: Iterable[str]) -> Fetch:
        key = f"{BOOKS}{next(self._numbers)}"
        self._open[key] = list(tokens)
        body = msgspec.json.encode([{"token_id": token} for token in self._open[key]])
        return Fetch(key=key, url=self._url, body=body, accept=REFUSALS)
