"""The books of all symbols of Binance, and the questions for their snapshots."""

from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from common.errors import BadAnswer
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Resume, Step
from ingesters.venues import binance_wire as wire
from ingesters.venues.binance_book import BookSequence
from ingesters.venues.binance_depth import snapshot_of
from ingesters.venues.binance_rare import refused

SNAPSHOT, REFRESH = "snapshot:", "refresh:"
BAD_REQUEST = 400
LEAST_WAITING = 1_000  # deltas of a symbol that wait for its snapshot: 100 s of a busy one
MOST_WAITING = 100_000  # of all symbols together: at most 170 MB
DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
# Half of the 6000 a minute may go into the first snapshots: a third of that at once, the rest evenly.
BURST_WEIGHT = 1000
WEIGHT_A_SECOND = 2000 / 60
REFRESH_WEIGHT_A_SECOND = 1000 / 60


class Books:
    """
    Each symbol's book sequence, made when it is first heard of.

    A snapshot holds the levels nearest to the price, the deltas tell of all that change. A level behind the snapshot
    that does not change stays unknown, and is missing where the price comes to later: so there is a new snapshot
    every `binance_book_refresh_s`, or as often as the venue allows for so many symbols.
    """

    def __init__(self, settings: Settings, resume: Resume) -> None:
        self._url = f"{settings.binance_rest_url}/api/v3/depth"
        self._levels = settings.binance_depth_levels
        self._weight = next(weight for most, weight in DEPTH_WEIGHTS if self._levels <= most)
        all_weight = self._weight * len(settings.binance_symbols)
        self._refresh_s = max(settings.binance_book_refresh_s, all_weight / REFRESH_WEIGHT_A_SECOND)
        self._marks = resume.marks
        self._most_waiting = max(LEAST_WAITING, MOST_WAITING // max(1, len(settings.binance_symbols)))
        self._wanted: set[str] = set()
        self._refreshing: set[str] = set()  # a question is under way; it outlives a symbol that is dropped
        self.by_symbol: dict[str, BookSequence] = {}

    def begin(self, symbol: str, *, is_asked: bool = False) -> BookSequence:
        """Return the book of a symbol heard of for the first time; one not asked for may come in a recording."""
        book = BookSequence(
            symbol,
            self._request(SNAPSHOT, symbol),
            mark=self._marks.get(("books", symbol)),
            last_quote=self._marks.get(("quotes", symbol)),
            is_asked=is_asked,
            most_waiting=self._most_waiting,
        )
        self.by_symbol[symbol] = book
        return book

    def ask(self, symbols: Iterable[str]) -> Iterator[Fetch]:
        """Ask for the first snapshots of symbols, no faster than the venue allows."""
        asked_weight = 0
        for symbol in symbols:
            self._wanted.add(symbol)
            asked_weight += self._weight
            after_s = max(0.0, (asked_weight - BURST_WEIGHT) / WEIGHT_A_SECOND)
            if symbol not in self.by_symbol:  # else a delta will tell whether one is needed
                self.begin(symbol, is_asked=True)
                yield self._request(SNAPSHOT, symbol)._replace(after_s=after_s)
            if symbol not in self._refreshing:
                yield self._refresh(symbol, after_s + self._refresh_s)

    def drop(self, symbols: Iterable[str]) -> None:
        """Hear that these symbols are recorded no longer."""
        self._wanted.difference_update(symbols)

    def answer(self, frame: Frame, symbol: str, *, is_asked_for_again: bool) -> Iterator[Step]:
        """
        Say what the answer to a question for a book means; a refused symbol leaves the others alone.

        Raises:
            BadAnswer: it is none; the same is asked again.
        """
        try:
            if frame.status == BAD_REQUEST:
                refusal = wire.REFUSAL.decode(frame.payload)
                self._wanted.discard(symbol)
                self._refreshing.discard(symbol)
                (self.by_symbol.get(symbol) or self.begin(symbol)).give_up()
                return iter((refused(frame, refusal, channel="depth", symbol=symbol),))
            snapshot = snapshot_of(frame.payload, symbol, frame.received_ns, most_levels=self._levels)
        except msgspec.MsgspecError as error:
            raise BadAnswer(wire.VENUE, reason=f"depth of {symbol}: {error}") from error
        book = self.by_symbol.get(symbol) or self.begin(symbol)
        return self._again(symbol, book.refresh(snapshot)) if is_asked_for_again else book.answer(snapshot)

    def _again(self, symbol: str, news: Iterator[Step]) -> Iterator[Step]:
        self._refreshing.discard(symbol)
        yield from news
        if symbol in self._wanted:
            yield self._refresh(symbol, self._refresh_s)

    def _refresh(self, symbol: str, after_s: float) -> Fetch:
        self._refreshing.add(symbol)
        return self._request(REFRESH, symbol)._replace(after_s=after_s)

    def _request(self, purpose: str, symbol: str) -> Fetch:
        return Fetch(
            key=f"{purpose}{symbol}",
            url=f"{self._url}?symbol={quote(symbol)}&limit={self._levels}",
            weight=self._weight,
            accept=(BAD_REQUEST,),
        )
