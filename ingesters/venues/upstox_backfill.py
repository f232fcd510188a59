"""
What was missed while we were away, as far as the venue keeps it: candles of a minute. There are no ticks to ask for.

A stretch is asked for from its first minute, which the last tick before it left unfinished, to the minute before the
one that runs now. Which stretches were missed is written with the ticks that tell it, how far they are filled with the
candles that fill them: each in one transaction, so that a restart at any moment goes on where this one stopped.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

from common.clock import NS_PER_S, utc_text
from common.errors import BadAnswer
from common.records import Bar, EventKind, FeedEvent
from ingesters.feed import Checkpoint, Fetch, Frame, Step
from ingesters.venues.upstox_instrument import DAY_NS, IST_NS, Missed
from ingesters.venues.upstox_ticks import MINUTE
from ingesters.venues.upstox_wire import CANDLES, VENUE, why_refused

MISSED, FILLED = "upstox_missed", "upstox_filled"  # {symbol: [from, to]} and {symbol: filled up to}, in ns
QUESTION = "candles:"
MINUTE_NS = 60 * NS_PER_S
OK = 200
TOKEN_DEAD = (401, 403)
REFUSED = (400, 404, 410)
EVERY_S = 1.0  # one instrument a second: the venue lets a user ask 2000 times in half an hour
SETTLED_S = 5.0  # until the last minute is among the candles

_stretches = msgspec.json.Decoder(dict[str, tuple[int, int]])
_ends = msgspec.json.Decoder(dict[str, int])


class Backfill:
    """The stretches that are still open, and the questions that close them."""

    def __init__(self, api_url: str, longest_ns: int, state: Mapping[str, str]) -> None:
        self._api_url = api_url
        self._longest_ns = longest_ns
        self._missed = _stretches.decode(state.get(MISSED) or "{}")
        self._filled = _ends.decode(state.get(FILLED) or "{}")
        self._open = {
            symbol: (max(from_ns, self._filled.get(symbol, 0)), to_ns)
            for symbol, (from_ns, to_ns) in self._missed.items()
            if self._filled.get(symbol, 0) < to_ns
        }
        self._asked: set[str] = set()
        self._headers: tuple[tuple[str, str], ...] = ()

    def begin(self, headers: tuple[tuple[str, str], ...], now_ns: int) -> Iterator[Step]:
        """Ask for what an earlier connection left open, from now on with this token."""
        self._headers = headers
        for symbol in self._open:
            yield from self._ask(symbol, now_ns)

    def miss(self, missed: Missed, received_ns: int) -> Iterator[Step]:
        """Tell a stretch in which trades were made that we did not hear, and ask for its candles."""
        symbol, from_ns, to_ns = missed
        first_ns, end_ns = from_ns // MINUTE_NS * MINUTE_NS, to_ns // MINUTE_NS * MINUTE_NS
        remedy = "they are asked for"
        if to_ns - from_ns > self._longest_ns:
            remedy = "not asked for, this is longer than BACKFILL_MAX_S"
        elif first_ns == end_ns:
            remedy = "that of this minute comes by itself"
        yield event("gap", missed, received_ns, detail=f"traded and not heard; only candles can be had: {remedy}")
        if first_ns < end_ns and to_ns - from_ns <= self._longest_ns:
            if symbol in self._open:
                first_ns = min(first_ns, self._open[symbol][0])
            self._open[symbol] = (first_ns, end_ns)
            yield from self._ask(symbol, received_ns)

    def save(self) -> Iterator[Checkpoint]:
        """Have what was missed written, if there is more than before, with the ticks of the same frame."""
        if not self._open.items() <= self._missed.items():
            self._missed = dict(self._open)
            yield Checkpoint("tickers", {MISSED: msgspec.json.encode(self._missed).decode()})

    def answer(self, frame: Frame, symbol: str) -> Iterator[Step]:
        """
        Say what an answer fills.

        Raises:
            BadAnswer: it is none; the same question is asked again.
        """
        self._asked.discard(symbol)
        if symbol not in self._open or frame.status in TOKEN_DEAD:  # asked again with the next token
            return
        first_ns, end_ns = self._open[symbol]
        split_ns = _split_ns(first_ns, end_ns, frame.received_ns)
        if frame.status != OK:
            reason = f"not filled: {why_refused(frame.status, frame.payload)}"
            yield event("gap", Missed(symbol, first_ns, end_ns), frame.received_ns, detail=reason)
            yield self._fill(symbol, end_ns)
            return
        bars = [bar for bar in bars_of(frame, symbol) if first_ns <= bar.open_ns < split_ns]
        yield from bars
        yield self._fill(symbol, split_ns)
        yield event(
            "backfilled",
            Missed(symbol, first_ns, split_ns),
            frame.received_ns,
            expected=f"at most {(split_ns - first_ns) // MINUTE_NS} candles",
            found=f"{len(bars)} candles",
            detail="candles of a minute, as I1 in bars",
        )
        if symbol in self._open:
            yield from self._ask(symbol, frame.received_ns)

    def _ask(self, symbol: str, now_ns: int) -> Iterator[Fetch]:
        if symbol in self._asked:
            return
        self._asked.add(symbol)
        first_ns, end_ns = self._open[symbol]
        url, _ = candles_url(self._api_url, symbol, (first_ns, end_ns), now_ns)
        after_s = SETTLED_S + EVERY_S * (len(self._asked) - 1)
        yield Fetch(f"{QUESTION}{symbol}", url, after_s=after_s, accept=(*TOKEN_DEAD, *REFUSED), headers=self._headers)

    def _fill(self, symbol: str, until_ns: int) -> Checkpoint:
        """Note that a stretch is done with up to some moment; what is not among the missed is forgotten."""
        _, end_ns = self._open.pop(symbol)
        if until_ns < end_ns:
            self._open[symbol] = (until_ns, end_ns)
        filled = {**self._filled, symbol: until_ns}
        self._filled = {name: done_ns for name, done_ns in filled.items() if name in self._missed}
        return Checkpoint("bars", {FILLED: msgspec.json.encode(self._filled).decode()})


def candles_url(api_url: str, symbol: str, span: tuple[int, int], now_ns: int) -> tuple[str, int]:
    """Return where to ask for the candles of a stretch, as far as one question goes, and how far that is."""
    split_ns = _split_ns(*span, now_ns)
    last_ns = split_ns - 1
    path = f"/{quote(symbol, safe='')}/minutes/1"
    if _date(last_ns) == _date(now_ns):
        return f"{api_url}/v3/historical-candle/intraday{path}", split_ns
    return f"{api_url}/v3/historical-candle{path}/{_date(last_ns)}/{_date(span[0])}", split_ns


def _split_ns(first_ns: int, end_ns: int, now_ns: int) -> int:
    """Return where one question ends: the days before today are asked for apart from today."""
    today_ns = (now_ns + IST_NS) // DAY_NS * DAY_NS - IST_NS
    return today_ns if first_ns < today_ns < end_ns else end_ns


def _date(time_ns: int) -> str:
    return utc_text(time_ns + IST_NS)[:10]


def bars_of(frame: Frame, symbol: str) -> Iterator[Bar]:
    """
    Yield the candles of an answer, the oldest first.

    Raises:
        BadAnswer: it is none.
    """
    try:
        rows = CANDLES.decode(frame.payload).data.candles
        starts_ns = [_start_ns(row[0]) for row in rows]
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadAnswer(VENUE, reason=f"candles of {symbol}: {error}") from error
    for open_ns, row in zip(reversed(starts_ns), reversed(rows), strict=True):
        opened, high, low, close, volume = (f"{number:f}" for number in row[1:6])
        yield Bar(
            venue=VENUE,
            symbol=symbol,
            received_ns=frame.received_ns,
            interval=MINUTE,
            open_ns=open_ns,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            is_closed=True,
            source="backfill",
        )


def _start_ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:  # it would be taken for a time of this machine
        raise ValueError(f"expected a time with its zone, found {text}")
    return int(moment.timestamp()) * NS_PER_S


def event(
    kind: EventKind, missed: Missed, received_ns: int, *, expected: str = "", found: str = "", detail: str
) -> FeedEvent:
    """Return what a user must know of a stretch."""
    return FeedEvent(
        venue=VENUE,
        symbol=missed.symbol,
        received_ns=received_ns,
        channel="candle" if kind == "backfilled" else "tick",
        kind=kind,
        from_ns=missed.from_ns,
        to_ns=missed.to_ns,
        expected=expected,
        found=found,
        detail=detail,
    )
