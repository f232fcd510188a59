"""
Trades that happened while nobody listened, fetched page by page.

A hole begins where the stream was last known to be whole and ends behind the moment of the new subscription, so that
REST and the socket overlap; `Heard` takes the overlap out. Holes still open are named in a checkpoint with each page.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence

import msgspec

from common.clock import NS_PER_S
from common.errors import BadAnswer
from common.records import EventKind, FeedEvent, Record, Trade
from common.settings import Settings
from ingesters.feed import Fetch, Frame, Step
from ingesters.venues import alpaca_records as records
from ingesters.venues import alpaca_rest as rest
from ingesters.venues.alpaca_codec import JSON
from ingesters.venues.alpaca_heard import Heard
from ingesters.venues.alpaca_market import Market
from ingesters.venues.alpaca_time import rfc3339
from ingesters.venues.alpaca_wire import VENUE

KEY = "backfill"
OVERLAP_NS = 10 * NS_PER_S  # behind the subscription, by our clock: the venue's may be ahead by so much
EVERY = "*"
SETTLE_S = 5.0  # until REST has what happened at the moment of the subscription
OK = 200
CHANNELS = ("trades", "quotes", "orderbooks")  # a bar that is missing shows by itself
REFUSALS = (400, 401, 403, 404, 422)


class Hole(msgspec.Struct):
    """A stretch to be asked for, both ends included; what is told of it begins at `told_ns`."""

    from_ns: int
    to_ns: int
    told_ns: int
    symbols: tuple[str, ...]
    token: str = ""
    found: dict[str, int] = {}


class State(msgspec.Struct, omit_defaults=True):
    """What survives: the holes still open, oldest first, and when the last one was done with."""

    holes: list[Hole] = []
    filled_ns: int = 0


_decode_state = msgspec.json.Decoder(State).decode


class Backfill:
    """All holes of one program."""

    def __init__(self, settings: Settings, market: Market, heard: Heard, text: str) -> None:
        self._settings = settings
        self._market = market
        self._heard = heard
        self._state = _decode_state(text) if text else State()
        self._keep()

    @property
    def filled_ns(self) -> int | None:
        """Return when the last hole was done with; None while one is open."""
        return None if self._holes else self._state.filled_ns

    @property
    def _holes(self) -> list[Hole]:
        return self._state.holes

    def text(self) -> str:
        """Return the holes still open."""
        return msgspec.json.encode(self._state).decode()

    def begin(self, now_ns: int, received_ns: int) -> Iterator[Step]:
        """Tell what was missed until now, by the venue's clock, and ask for it; go on with what is still open."""
        head = self._heard.head
        missed_ns = 0
        if head.until_ns and not head.is_recording:
            missed_ns = self._market.missed_ns(head.newest_ns, head.until_ns, now_ns)
        if missed_ns > 0:
            yield from self._tell(missed_ns, now_ns, received_ns)
            self._heard.go_on(now_ns)  # what was missed before has been told now, and is a hole of its own
        if self._holes:  # what is too recent for the tape is refused, overlap and all
            yield self._ask(SETTLE_S + (OVERLAP_NS / NS_PER_S if self._market.delay_ns else 0.0))

    def answer(self, frame: Frame) -> Iterator[Step]:
        """Yield the trades of a page that do not stand already, and ask for the next one."""
        hole = self._holes[0]
        if frame.status != OK:
            yield from self._refused(hole, frame)
        else:
            token = yield from self._page(hole, frame)
            if token:
                hole.token = token
            else:
                yield from self._filled(hole, frame.received_ns)
        if self._holes:
            yield self._ask(0.0)

    def _tell(self, missed_ns: int, now_ns: int, received_ns: int) -> Iterator[FeedEvent]:
        head, why_not = self._heard.head, self._why_not(missed_ns)
        for channel in CHANNELS:
            if channel in self._market.channels:
                detail = why_not if channel == "trades" else ""
                for symbol in head.symbols:
                    yield event("gap", channel, symbol, (head.until_ns, now_ns), received_ns, detail=detail)
        if not why_not:
            self._holes.append(Hole(head.floor_ns + 1, now_ns + OVERLAP_NS, head.until_ns, head.symbols))
            self._keep()

    def _why_not(self, missed_ns: int) -> str:
        if self._market.rest_feed is None:
            return "this feed cannot be asked again"
        if EVERY in self._heard.head.symbols:
            return "all symbols were listened to, and trades can only be asked for by name"
        most_s = self._settings.backfill_max_s
        return f"longer than BACKFILL_MAX_S={most_s:g}: not fetched" if missed_ns > most_s * NS_PER_S else ""

    def _ask(self, after_s: float) -> Fetch:
        hole = self._holes[0]
        span = rfc3339(hole.from_ns), rfc3339(hole.to_ns)
        url = rest.trades_url(self._settings, self._market, span, hole.symbols, hole.token)
        return Fetch(KEY, url, after_s=after_s, accept=REFUSALS, headers=rest.headers(self._settings))

    def _page(self, hole: Hole, frame: Frame) -> Generator[Step, None, str]:
        rows, token = read_page(frame)
        yield from self._missing(hole, rows)
        return token

    def _missing(self, hole: Hole, rows: Sequence[tuple[rest.RestTrade, Trade]]) -> Iterator[Step]:
        later = [(other.from_ns, other.to_ns) for other in self._holes[1:]]
        for row, told in rows:
            if not hole.from_ns <= told.event_ns <= hole.to_ns or not self._heard.fetch(told, later):
                continue
            hole.found[told.symbol] = hole.found.get(told.symbol, 0) + 1
            yield from backfilled(row, told)

    def _filled(self, hole: Hole, received_ns: int) -> Iterator[Step]:
        self._close(received_ns)
        for symbol in hole.symbols:
            found = str(hole.found.get(symbol, 0))
            yield event("backfilled", "trades", symbol, (hole.told_ns, hole.to_ns), received_ns, found=found)

    def _refused(self, hole: Hole, frame: Frame) -> Iterator[Step]:
        """Leave a hole open for good: the venue will not tell. The socket decides whether the keys are good."""
        self._close(frame.received_ns)
        for symbol in hole.symbols:
            span = hole.told_ns, hole.to_ns
            detail = f"not fetched, HTTP {frame.status}: {rest.said(frame.payload)}"
            yield event("refused", "trades", symbol, span, frame.received_ns, found=str(frame.status), detail=detail)

    def _close(self, received_ns: int) -> None:
        self._state = State(self._holes[1:], received_ns)
        self._keep()

    def _keep(self) -> None:
        self._heard.keep((hole.from_ns, hole.to_ns) for hole in self._holes)


def read_page(frame: Frame) -> tuple[list[tuple[rest.RestTrade, Trade]], str]:
    """
    Return the trades of a page, all read before one is used, and the token of the next page.

    Raises:
        BadAnswer: it is none; the same is asked again.
    """
    try:
        page = rest.PAGE.decode(frame.payload)
    except msgspec.MsgspecError as error:
        raise BadAnswer(VENUE, reason=f"page of trades: {error}") from error
    rows = [
        (row, records.trade(row, symbol, frame.received_ns, JSON))
        for symbol, of_symbol in (page.trades or {}).items()
        for row in of_symbol
    ]
    return rows, page.next_page_token or ""


def backfilled(row: rest.RestTrade, told: Trade) -> Iterator[Record]:
    """Yield a trade that was missing, and what became of it since."""
    yield msgspec.structs.replace(told, source="backfill")
    if row.u in records.ENDED:
        yield records.ended(row, told)


def event(
    kind: EventKind, channel: str, symbol: str, span: tuple[int, int], received_ns: int, **words: str
) -> FeedEvent:
    """Return what a user of the data must know of a stretch."""
    from_ns, to_ns = span
    facts: Mapping[str, str] = words
    return FeedEvent(
        venue=VENUE,
        symbol=symbol,
        received_ns=received_ns,
        channel=channel,
        kind=kind,
        from_ns=min(from_ns, to_ns),
        to_ns=to_ns,
        expected=facts.get("expected", ""),
        found=facts.get("found", ""),
        detail=facts.get("detail", ""),
    )
