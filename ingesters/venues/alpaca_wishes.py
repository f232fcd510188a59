"""
Trades and minute bars of Alpaca that somebody wants fetched again: the bars first, for they replace what stands.

A trade is known by its id and its time, as in `Heard`. While a break of the stream is being filled no wish is looked
into; and one that was made before what that brought can have come to ClickHouse is left, with its reason.
"""

from collections.abc import Iterator, Mapping

import msgspec

from common.errors import BadAnswer
from common.settings import Settings
from common.wishes import Wish
from ingesters.feed import Checkpoint, Fetch, Frame, Step
from ingesters.venues import alpaca_records as records
from ingesters.venues import alpaca_rest as rest
from ingesters.venues.alpaca_backfill import OK, REFUSALS, backfilled, read_page
from ingesters.venues.alpaca_codec import JSON
from ingesters.venues.alpaca_heard import Heard, known_as
from ingesters.venues.alpaca_market import Market
from ingesters.venues.alpaca_time import rfc3339
from ingesters.venues.alpaca_wire import VENUE
from ingesters.venues.errands import Errands

KEY, BARS_KEY = "wish", "wish:bars"
ON_THEIR_WAY = "trades of a break are on their way: ask again when trades of the stream stand that came after it"


def wish_names(prefix: str) -> tuple[str, ...]:
    """Return the names of the strings that survive a restart."""
    return f"{prefix}_wish", f"{prefix}_settled", f"{prefix}_wish_bars"


class ByHand:
    """The wishes for one of the two markets; `heard` knows what may come twice."""

    def __init__(self, settings: Settings, market: Market, heard: Heard, state: Mapping[str, str]) -> None:
        self._settings = settings
        self._market = market
        self._heard = heard
        self._names = wish_names(market.state)
        wish, settled, bars = (state.get(name, "") for name in self._names)
        self._errands = Errands(market.program, wish, settled, venue=VENUE, channel="trades")
        self._bars_of = bars  # the last wish whose bars were had
        self._is_asking = False
        self._bars_token = ""
        self.is_about, self.recall = self._errands.is_about, self._errands.recall

    def hear(self, frame: Frame, *, filled_ns: int | None) -> Iterator[Step]:
        """Hear of wishes; `filled_ns` is when the last break was filled, None while one is being filled."""
        yield from self._errands.hear(frame)
        wish = self._errands.wish
        if wish is None or self._is_asking or filled_ns is None:
            return
        why_not = self._why_not(wish, filled_ns)
        if why_not:
            yield from self._end(frame.received_ns, why_not)
        else:
            yield from self._ask(wish, frame.received_ns)

    def answer(self, frame: Frame) -> Iterator[Step]:
        """
        Say what a page brings, and ask for the next one.

        Raises:
            BadAnswer: it is none; the same is asked again.
        """
        wish = self._errands.wish
        if wish is None:
            return
        if frame.status != OK:
            yield from self._end(frame.received_ns, f"HTTP {frame.status}: {rest.said(frame.payload)}")
            return
        yield from (self._bars if frame.reply_to == BARS_KEY else self._trades)(wish, frame)
        yield from self._ask(wish, frame.received_ns)

    def _why_not(self, wish: Wish, filled_ns: int) -> str:
        if self._market.rest_feed is None:
            return "this feed cannot be asked again"
        return self._errands.why_lost or (ON_THEIR_WAY if wish.seen_ns <= filled_ns else "")

    def _ask(self, wish: Wish, received_ns: int) -> Iterator[Step]:
        part = self._errands.part
        if part is None:
            yield from self._end(received_ns)
            return
        is_bars = self._bars_of != wish.id
        first, stop = (wish.from_ns, min(wish.to_ns + 1, wish.below)) if is_bars else part
        token = self._bars_token if is_bars else self._errands.place
        span = rfc3339(first), rfc3339(stop - 1)
        url_of = rest.bars_url if is_bars else rest.trades_url
        url = url_of(self._settings, self._market, span, [wish.symbol], token)
        self._is_asking = True
        yield Fetch(BARS_KEY if is_bars else KEY, url, accept=REFUSALS, headers=rest.headers(self._settings))

    def _bars(self, wish: Wish, frame: Frame) -> Iterator[Step]:
        try:
            page = rest.BARS.decode(frame.payload)
        except msgspec.MsgspecError as error:
            raise BadAnswer(VENUE, reason=f"page of bars: {error}") from error
        for row in (page.bars or {}).get(wish.symbol, ()):
            bar = records.bar(row, wish.symbol, frame.received_ns, JSON)
            yield msgspec.structs.replace(bar, source="backfill")
        self._bars_token = page.next_page_token or ""
        if not self._bars_token:
            self._bars_of = wish.id
            yield Checkpoint("bars", {self._names[2]: wish.id})

    def _trades(self, wish: Wish, frame: Frame) -> Iterator[Step]:
        rows, token = read_page(frame)
        for row, told in rows:
            if self._errands.wants(known_as(told), told.event_ns) and self._heard.fetch(told, ()):
                yield from backfilled(row, told)
        if token:
            newest_ns = max((told.event_ns for _, told in rows), default=wish.from_ns)
            self._errands.reach(newest_ns, token)
        else:
            self._errands.leave_part()
        yield self._checkpoint()

    def _end(self, received_ns: int, refusal: str = "") -> Iterator[Step]:
        self._is_asking = False
        yield self._errands.end(received_ns, refusal)
        yield self._checkpoint()

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint("trades", {self._names[0]: self._errands.progress, self._names[1]: self._errands.settled})
