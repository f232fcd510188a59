"""
Candles of Upstox that somebody wants fetched again: a month at a time, each minute that does not stand yet.

A wish tells of minutes instead of trade ids: `standing` and `below` count them from 1970 on. How far one is, is written
with the candles, so a kill in the middle goes on where it stopped, and brings none twice.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time

import msgspec

from common.clock import NS_PER_S
from common.settings import Settings
from common.wishes import Wish, wish_id
from ingesters.feed import Checkpoint, Fetch, Frame, Recall, Step
from ingesters.venues.upstox_backfill import MINUTE_NS, OK, REFUSED, TOKEN_DEAD, bars_of, candles_url, event
from ingesters.venues.upstox_instrument import DAY_NS, IST_NS, Missed
from ingesters.venues.upstox_wire import why_refused
from ingesters.venues.wishes import Wishes

KEY = "wish"
STATE, SETTLED = "upstox_backfill", "upstox_settled"
MONTH_NS = 30 * DAY_NS  # of candles of a minute the venue gives no more at once
LATER_NS = 60 * NS_PER_S  # until a question is asked again that the token was too old for


class Progress(msgspec.Struct):
    """How far a wish is: which minutes are still to be asked for, of how many, and the candles had."""

    wish: str
    total: int
    missing: list[tuple[int, int]]
    found: int = 0


_decode = msgspec.json.Decoder(Progress).decode


class ByHand:
    """The wishes for Upstox, and the history that the settings ask for; one is looked into at a time."""

    def __init__(self, program: str, settings: Settings, state: Mapping[str, str]) -> None:
        self._api_url = settings.upstox_api_url
        self._history_from = settings.upstox_history_from
        self._wishes = Wishes(program, state.get(SETTLED, ""))
        text = state.get(STATE, "")
        self._progress = _decode(text) if text.startswith('{"wish"') else None
        self._not_before_ns = 0

    @property
    def key(self) -> str:
        """Return the name under which the wishes come."""
        return self._wishes.key

    @property
    def recall(self) -> Recall:
        """Return the question for the wishes."""
        return self._wishes.recall

    def hear(self, frame: Frame, symbols: Iterable[str], headers: tuple[tuple[str, str], ...]) -> Iterator[Step]:
        """Hear which wishes there are; begin with one, or go on with the one that was under way."""
        if frame.received_ns >= self._not_before_ns:
            words = [frame.payload, *(wish.word.encode() for wish in self._histories(symbols, frame.received_ns))]
            forget, wish = self._wishes.hear(msgspec.structs.replace(frame, payload=b"\n".join(words)), ())
            if forget:
                yield forget
            if wish:
                yield from self._begin(wish, headers, frame.received_ns)
        yield self.recall

    def answer(self, frame: Frame, headers: tuple[tuple[str, str], ...]) -> Iterator[Step]:
        """
        Say what a page of candles brings.

        Raises:
            BadAnswer: it is none; the same is asked again.
        """
        wish, progress = self._wishes.located, self._progress
        if wish is None or progress is None:
            return
        if frame.status in TOKEN_DEAD:  # the session will have another one; then the wish is still there
            self._wishes.located, self._not_before_ns = None, frame.received_ns + LATER_NS
            return
        if frame.status != OK:
            yield from self._end(wish, progress, frame, why_refused(frame.status, frame.payload))
            return
        first, stop = self._page(progress, frame.received_ns)
        bars = [bar for bar in bars_of(frame, wish.symbol) if _is_wanted(bar.open_ns // MINUTE_NS, wish, first, stop)]
        yield from bars
        progress.found += len(bars)
        _, end = progress.missing[0]
        progress.missing = [(stop, end)] if stop < end else []
        if progress.missing:
            yield self._checkpoint()
            yield self._ask(wish, progress, headers, frame.received_ns)
        else:
            yield from self._end(wish, progress, frame, "")

    def _histories(self, symbols: Iterable[str], now_ns: int) -> Iterator[Wish]:
        """Yield what the settings ask for and no start has had yet, up to the minute that runs now."""
        if self._history_from is not None:
            midnight = datetime.combine(self._history_from, time(), tzinfo=UTC)
            from_ns = int(midnight.timestamp()) * NS_PER_S - IST_NS
            for symbol in symbols:
                name = wish_id(symbol, from_ns, 0)  # the same after each restart
                if not self._wishes.is_done(name):
                    yield Wish(name, symbol, from_ns, now_ns, below=now_ns // MINUTE_NS)

    def _begin(self, wish: Wish, headers: tuple[tuple[str, str], ...], now_ns: int) -> Iterator[Step]:
        if self._progress is None or self._progress.wish != wish.id:
            first, stop = wish.from_ns // MINUTE_NS, min(wish.to_ns // MINUTE_NS + 1, wish.below)
            self._progress = Progress(wish.id, max(0, stop - first), [(first, stop)])
        if self._progress.total:
            yield self._ask(wish, self._progress, headers, now_ns)
        else:
            yield from self._end(wish, self._progress, Frame(now_ns, b""), "")

    def _page(self, progress: Progress, now_ns: int) -> tuple[int, int]:
        """Return the minutes of the next question: a month at most, and today apart from the days before."""
        first, end = progress.missing[0]
        stop = min(end, first + MONTH_NS // MINUTE_NS)
        _, split_ns = candles_url(self._api_url, "", (first * MINUTE_NS, stop * MINUTE_NS), now_ns)
        return first, split_ns // MINUTE_NS

    def _ask(self, wish: Wish, progress: Progress, headers: tuple[tuple[str, str], ...], now_ns: int) -> Fetch:
        first, stop = self._page(progress, now_ns)
        url, _ = candles_url(self._api_url, wish.symbol, (first * MINUTE_NS, stop * MINUTE_NS), now_ns)
        return Fetch(KEY, url, after_s=1.0, accept=(*TOKEN_DEAD, *REFUSED), headers=headers)

    def _end(self, wish: Wish, progress: Progress, frame: Frame, refusal: str) -> Iterator[Step]:
        self._wishes.located, self._progress = None, None
        self._wishes.settle(wish.symbol, (), wish.id)
        yield event(
            "gap" if refusal else "backfilled",
            Missed(wish.symbol, wish.from_ns, wish.to_ns),
            frame.received_ns,
            expected=str(progress.found),
            found=str(progress.found),
            detail=f"candles of a minute, wish {wish.id}{': ' if refusal else ''}{refusal}",
        )
        yield self._checkpoint()

    def _checkpoint(self) -> Checkpoint:
        text = msgspec.json.encode(self._progress).decode() if self._progress else "{}"
        return Checkpoint("bars", {STATE: text, SETTLED: self._wishes.text})


def _is_wanted(minute: int, wish: Wish, first: int, stop: int) -> bool:
    return first <= minute < stop and not any(start <= minute < end for start, end in wish.standing)
