"""
The bar processor's state: the candles of a shard's trades that are running, or closed not long ago.

Every candle that changed is told when a second of the shard's time is over, whole; and once more when its own time is
over. So what is told depends on the trades and their order alone. In a silence the time goes on by the clock, to where
the next trade will find it: the same is told, and sooner. A late trade finds its candle still here and changes
it; one for a candle that has left is left to the views, because what would be told were a part of a candle.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import Any

import msgspec
import polars as pl

from common.clock import NS_PER_S
from common.errors import UnreadableCheckpoint
from processors.processor import Made
from processors.transforms.candle import FIELDS, Growing, Key, candle_frame, end_ns, told
from processors.transforms.candle_parts import KEPT_S, candle_parts, stepped

VERSION = 1
SKEW_NS = 10 * NS_PER_S  # of a venue's clock against ours: trades of candles that open so much later are all seen
EVER_NS = -(2**62)


Symbol = tuple[str, str]


class Saved(msgspec.Struct):
    """
    The shard's time, since when all trades were seen, the next running number, and the candles.

    `lags_ns` is by how much each symbol's own time is behind the shard's: it is long when a recording is played.
    `newest_ns` is the newest trade of each symbol in the second that is not over. `heard_s` is the shard's time at its
    newest trade: in a silence it goes on from there.
    """

    version: int = VERSION
    clock_s: int = -1
    began_ns: int = EVER_NS
    next: int = 0
    lags_ns: list[tuple[Symbol, int]] = []
    newest_ns: list[tuple[Symbol, int]] = []
    changed: list[Key] = []
    candles: list[tuple[Key, Growing]] = []
    heard_s: int = -1


class Candles:
    """Every candle of one shard that trades may still change."""

    def __init__(self, saved_state: bytes = b"") -> None:
        saved = msgspec.msgpack.decode(saved_state, type=Saved) if saved_state else Saved()
        if saved.version != VERSION:
            raise UnreadableCheckpoint("bar_processor", reason=f"expected version {VERSION}, found {saved.version}")
        self._clock_s, self._began_ns, self._next = saved.clock_s, saved.began_ns, saved.next
        self._lags_ns, self._newest_ns = dict(saved.lags_ns), dict(saved.newest_ns)
        self._heard_s = saved.heard_s
        self._changed = set(saved.changed)
        self._candles = dict(saved.candles)
        self._ends = [(end_ns(key), key) for key in self._candles if end_ns(key) > self._clock_s * NS_PER_S]
        self._leaves = [(self._leave_ns(key), key) for key in self._candles]
        heapify(self._ends)
        heapify(self._leaves)

    def turn(self, frame: pl.DataFrame, knowledge: pl.DataFrame, /) -> Made:
        """Take the next trades, and candles that were made anew; return the candles that are to be told."""
        rows: list[dict[str, Any]] = []
        for number, stretch in enumerate(_stretches(frame)):
            if stretch["offset"][0] != self._next:
                self._begin(stretch)
            elif not number:
                self._amend(knowledge)
            rows += self._take(stretch)
        return Made(candle_frame(rows))

    def save(self) -> bytes:
        """Return everything."""
        places = (self._clock_s, self._began_ns, self._next)
        times = (sorted(self._lags_ns.items()), sorted(self._newest_ns.items()))
        candles = (sorted(self._changed), sorted(self._candles.items(), key=itemgetter(0)))
        return msgspec.msgpack.encode(Saved(VERSION, *places, *times, *candles, self._heard_s))

    @property
    def oldest_ns(self) -> int:
        """Return the earliest time at which one of the symbols is."""
        return self._clock_s * NS_PER_S - max([0, *self._lags_ns.values()])

    def rest(self, silent_ns: int, knowledge: pl.DataFrame, /) -> Made | None:
        """Let the time go on to `silent_ns` behind the newest trade, if anything is over by then; tell that."""
        if self._heard_s < 0:
            return None
        self._amend(knowledge)
        step_s = max(self._heard_s + silent_ns // NS_PER_S, self._clock_s + (not knowledge.is_empty()))
        is_over = self._ends and self._ends[0][0] <= step_s * NS_PER_S
        if step_s == self._clock_s or not (self._changed or is_over):
            return None
        return Made(candle_frame(list(self._pass(step_s))))

    def _begin(self, stretch: pl.DataFrame) -> None:
        """Begin anew: trades are missing, so only of candles that open from now on all will have been seen."""
        for held in (self._candles, self._changed, self._ends, self._leaves):
            held.clear()
        self._began_ns = int(stretch["received_ns"][0]) + SKEW_NS

    def _amend(self, knowledge: pl.DataFrame) -> None:
        """Put candles that a correction touches in the place of those that did not know of it."""
        for key, candle in _keyed(knowledge):
            if key in self._candles:
                self._candles[key] = candle
                self._changed.add(key)

    def _take(self, stretch: pl.DataFrame) -> Iterator[dict[str, Any]]:
        trades = stepped(stretch, self._clock_s)
        for (step,), parts in candle_parts(trades, self._began_ns).group_by("step", maintain_order=True):
            yield from self._pass(int(step))
            for is_derived, (key, part) in zip(parts["is_derived"], _keyed(parts), strict=True):
                if is_derived or not self._has_left(key):
                    self._add(key, part)
                    if not is_derived:
                        self._newest_ns[key[:2]] = max(part.last_ns, self._newest_ns.get(key[:2], part.last_ns))
        yield from self._pass(int(trades["step"][-1]))
        self._heard_s = self._clock_s
        self._next = int(stretch["offset"][-1]) + 1

    def _has_left(self, key: Key) -> bool:
        """Return whether a candle is too old for its symbol: it was here and is gone."""
        own_ns = self._clock_s * NS_PER_S - self._lags_ns.get(key[:2], -EVER_NS)
        return end_ns(key) + KEPT_S[key[2]] * NS_PER_S <= own_ns

    def _leave_ns(self, key: Key) -> int:
        """Return a time of the shard by which a candle is too old: lags get only shorter."""
        clock_ns = self._clock_s * NS_PER_S
        lag_ns = self._lags_ns.get(key[:2], clock_ns - self._candles[key].last_ns)
        return end_ns(key) + KEPT_S[key[2]] * NS_PER_S + max(lag_ns, 0)

    def _add(self, key: Key, part: Growing) -> None:
        found = self._candles.get(key)
        self._candles[key] = part if found is None else found.with_part(part)
        self._changed.add(key)
        if found is None:
            heappush(self._ends, (end_ns(key), key))
            heappush(self._leaves, (self._leave_ns(key), key))

    def _pass(self, step_s: int) -> Iterator[dict[str, Any]]:
        """Let the shard's time go on; yield what changed in the second before, and what is over by now."""
        if step_s <= self._clock_s:
            return
        at_ns, now_ns = (self._clock_s + 1) * NS_PER_S, step_s * NS_PER_S
        for symbol, newest_ns in self._newest_ns.items():
            lag_ns = self._clock_s * NS_PER_S - newest_ns
            self._lags_ns[symbol] = min(lag_ns, self._lags_ns.get(symbol, lag_ns))
        self._newest_ns.clear()
        changed, self._changed, self._clock_s = self._changed, set(), step_s
        for key in sorted(changed):
            yield told(key, self._candles[key], at_ns)
        closed = {key for key in changed if end_ns(key) <= at_ns}
        while self._ends and self._ends[0][0] <= now_ns:
            _, key = heappop(self._ends)
            if key not in closed:
                closed.add(key)
                yield told(key, self._candles[key], end_ns(key))
        while self._leaves and self._leaves[0][0] <= now_ns:
            self._candles.pop(heappop(self._leaves)[1], None)


def _keyed(parts: pl.DataFrame) -> Iterator[tuple[Key, Growing]]:
    names = ("venue", "symbol", "interval_s", "open_ns", *FIELDS)
    if parts.is_empty():
        return
    for venue, symbol, interval_s, open_ns, *fields in parts.select(names).iter_rows():
        yield (venue, symbol, interval_s, open_ns), Growing(*fields)


def _stretches(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the trades cut where running numbers are missing."""
    if frame.is_empty():
        return
    cuts = (frame["offset"].cast(pl.Int64).diff() != 1).arg_true().to_list()
    for first, stop in zip([0, *cuts], [*cuts, len(frame)], strict=True):
        yield frame[first:stop]
