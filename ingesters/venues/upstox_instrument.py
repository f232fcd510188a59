"""
One instrument from tick to tick: what is new in a tick, what is said again, and where time runs backwards.

Upstox conflates: about one tick a second stands for all trades in between, so last sizes add up to a tenth of the
volume, and no trades are made of them. The volume of a stretch is what `vtt`, the volume of the day, grew by over the
largest so far; a tick that is older than the one before it never makes it negative.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from common.clock import NS_PER_MS
from common.records import Bar, BookSnapshot, FeedEvent, Quote, Record, Ticker
from ingesters.venues import upstox_pb2 as pb
from ingesters.venues.upstox_ticks import Moment, Tick, bar_of, quote_of, snapshot_of, tick_of, ticker_of
from ingesters.venues.upstox_wire import VENUE

IST_NS = 19_800 * 10**9  # 5:30 ahead of UTC
DAY_NS = 86_400 * 10**9
UNSEEN = -1

Candle = tuple[int, float, float, float, float, int]


class Missed(NamedTuple):
    """A stretch in which an instrument was traded and not heard, in ns."""

    symbol: str
    from_ns: int
    to_ns: int


class Instrument:
    """
    What is known of one instrument in this connection.

    `marks` are the numbers of the last stored records by kind. A frame with such a number or a smaller one is one that
    was heard before: until a newer one comes, nothing of that kind is told again.
    """

    def __init__(self, symbol: str, marks: Mapping[type[Record], int]) -> None:
        self.repeats = 0  # of the tick last told, since it was told
        self._symbol = symbol
        self._marks = dict(marks)
        self._last_tick_ns = marks[Ticker] * NS_PER_MS if Ticker in marks else None
        self._said: bytes | None = None
        self._best: tuple[float, int, float, int] | None = None
        self._levels: list[tuple[float, int, float, int]] | None = None
        self._candles: dict[str, Candle] = {}
        self._volume = UNSEEN
        self._traded_ms = 0
        self._made_ms = 0

    def hear(self, feed: pb.Feed, moment: Moment) -> list[Record]:
        """Return what a tick tells that was not told before; of one that says the same again, nothing."""
        said = feed.SerializeToString(deterministic=True)
        if said == self._said:
            self.repeats += 1
            return []
        tick = tick_of(feed)
        records: list[Record] = [ticker_of(tick, self._symbol, moment, self.repeats)]
        records += self._book(tick, moment)
        records += self._bars(tick, moment)
        records += self._backwards(tick, moment)
        self._said = said
        self.repeats = 0
        return self._not_stored(records, moment) if self._marks else records

    def forget(self) -> None:
        """Tell everything with the next tick: what was made of the last one was not kept."""
        self._said = None
        self._best, self._levels = None, None
        self._candles.clear()

    def missed(self, feed: pb.Feed, moment: Moment) -> Missed | None:
        """Return the stretch since the last stored tick, if there was a trade in it; asked with the first tick."""
        last_ns = self._last_tick_ns
        if last_ns is None or moment.event_ns is None or moment.event_ns <= last_ns:
            return None
        if tick_of(feed).ltpc.ltt * NS_PER_MS <= last_ns:
            return None
        return Missed(self._symbol, last_ns, moment.event_ns)

    def _book(self, tick: Tick, moment: Moment) -> Iterator[Record]:
        if not tick.levels:
            return
        levels = [(level.bidP, level.bidQ, level.askP, level.askQ) for level in tick.levels]
        if levels[0] != self._best:
            self._best = levels[0]
            yield quote_of(tick.levels[0], self._symbol, moment)
        if tick.depth is not None and levels != self._levels:
            self._levels = levels
            yield snapshot_of(tick, tick.depth, self._symbol, moment)

    def _bars(self, tick: Tick, moment: Moment) -> Iterator[Record]:
        for candle in tick.candles:
            seen = (candle.ts, candle.open, candle.high, candle.low, candle.close, candle.vol)
            # Before the opening there is no last minute: its candle is empty.
            if candle.ts and candle.interval and self._candles.get(candle.interval) != seen:
                self._candles[candle.interval] = seen
                yield bar_of(candle, self._symbol, moment)

    def _backwards(self, tick: Tick, moment: Moment) -> Iterator[Record]:
        """Say so when the volume of the day shrinks, or a time is before the last one; a new day begins at nothing."""
        # A time that is not told is no earlier one.
        traded_ms, made_ms = tick.ltpc.ltt or self._traded_ms, moment.sequence or self._made_ms
        volume = tick.market.vtt if tick.market is not None else UNSEEN
        is_new_day = volume == 0 or _day(traded_ms) > _day(self._traded_ms)
        if volume < self._volume and not is_new_day:
            yield self._flag(moment, "the volume of the day", self._volume, volume)
        elif traded_ms < self._traded_ms:
            yield self._flag(moment, "the time of the last trade", self._traded_ms, traded_ms)
        elif made_ms < self._made_ms:
            yield self._flag(moment, "the venue's clock", self._made_ms, made_ms)
        self._volume, self._traded_ms, self._made_ms = volume, traded_ms, made_ms

    def _flag(self, moment: Moment, what: str, before: int, now: int) -> FeedEvent:
        at_ns = moment.event_ns or moment.received_ns
        return FeedEvent(
            venue=VENUE,
            symbol=self._symbol,
            received_ns=moment.received_ns,
            channel="tick",
            kind="resync",
            from_ns=at_ns,
            to_ns=at_ns,
            expected=f"at least {before}",
            found=str(now),
            detail=f"{what} ran backwards; the tick is stored as it came",
        )

    def _not_stored(self, records: list[Record], moment: Moment) -> list[Record]:
        number = moment.sequence
        if number is None:
            return records
        self._marks = {kind: mark for kind, mark in self._marks.items() if number <= mark}
        if not self._marks:
            return records
        stored = {*self._marks, FeedEvent} if Ticker in self._marks else self._marks
        return [record for record in records if type(record) not in stored]


def _day(stamp_ms: int) -> int:
    return (stamp_ms * NS_PER_MS + IST_NS) // DAY_NS


KINDS: Mapping[str, type[Record]] = {"tickers": Ticker, "quotes": Quote, "book_snapshots": BookSnapshot, "bars": Bar}
