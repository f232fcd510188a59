"""An invented Binance: a handful of markets that move on their own, and everybody who listens."""

import asyncio
import random
from collections import deque

from common.clock import NS_PER_MS
from simulator.demo.bars import INTERVALS_MS
from simulator.demo.binance_answers import answer_about
from simulator.demo.binance_pair import Pair
from simulator.demo.order_book import ASK, BID, Instrument
from simulator.faults import Clock
from simulator.ledger import Book
from simulator.trades import TradeQuery, TradeRow
from simulator.venues.binance_listener import Listener, StreamFrame

INSTRUMENTS = (
    Instrument("BTCUSDT", "BTC", "USDT", 6_180_000, 10**6, 1_000, 8_000, 90.0),
    Instrument("ETHUSDT", "ETH", "USDT", 265_000, 10**6, 10_000, 5_000, 55.0),
    Instrument("SOLUSDT", "SOL", "USDT", 15_240, 10**6, 100_000, 9_000, 30.0),
    Instrument("BNBUSDT", "BNB", "USDT", 51_800, 10**6, 100_000, 700, 20.0),
    Instrument("XRPUSDT", "XRP", "USDT", 5_530, 10**4, 10**8, 900, 15.0),
)
TURN_S = 0.02
TURNS_PER_DIFF, TURNS_PER_SECOND, TURNS_PER_KLINE = 5, 50, 100
BURST_EVERY_S, BURST_S, BURST_FACTOR = 90.0, 0.7, 25.0
MOST_UNSENT = 50_000
MOST_LEVELS = 5000
STALE_BY = 100
STALE_SYMBOL, BOUNDARY_SYMBOL = "ETHUSDT", "SOLUSDT"
PARTIAL_LEVELS = (5, 10, 20)


class Exchange:
    """All pairs on one clock."""

    def __init__(self, chance: random.Random, clock: Clock) -> None:
        self.published = Book()
        self._chance = chance
        self._clock = clock
        self._unsent: dict[Listener, deque[StreamFrame]] = {}
        self._pairs = {one.symbol: Pair(one, chance, self._publish) for one in INSTRUMENTS}
        self.symbols = list(self._pairs)
        self.histories: list[str] = []  # all is told by streams, from now on
        for pair in self._pairs.values():
            pair.remember(chance, self._now_ms())
        self._stale = self._outdated(self._pairs[STALE_SYMBOL])
        self._asked: set[str] = set()

    async def play(self, listener: Listener) -> None:
        """Send what is published from now on, as far as it was subscribed to."""
        unsent: deque[StreamFrame] = deque()
        self._unsent[listener] = unsent
        try:
            while True:
                await asyncio.sleep(TURN_S / 2)
                if unsent:
                    frames = [listener.outgoing(frame) for frame in unsent]
                    unsent.clear()
                    await listener.wire.send(frames)
        finally:
            del self._unsent[listener]

    async def live(self) -> None:
        """Move the markets until the end."""
        loop = asyncio.get_running_loop()
        due_s = dict.fromkeys(self._pairs, loop.time())
        burst_symbol, burst_s = self.symbols[0], loop.time() + BURST_EVERY_S / 3
        turn = 0
        while True:
            await asyncio.sleep(TURN_S)
            turn += 1
            now_s = loop.time()
            if now_s > burst_s + BURST_S:
                burst_symbol = self._chance.choice(self.symbols)
                burst_s = now_s + self._chance.expovariate(1 / BURST_EVERY_S)
            for symbol, pair in self._pairs.items():
                is_burst = symbol == burst_symbol and now_s > burst_s
                rate = pair.instrument.events_per_s * (BURST_FACTOR if is_burst else 1.0)
                due_s[symbol] = self._act_until(pair, now_s, due_s[symbol], rate)
            self._tell(turn)

    def _outdated(self, pair: Pair) -> bytes:
        snapshot = pair.snapshot(MOST_LEVELS)
        for _ in range(STALE_BY):
            pair.act(self._now_ms())
        for stream in pair.pending:
            pair.flush(stream, self._now_ms())
        return snapshot

    def _act_until(self, pair: Pair, now_s: float, due_s: float, rate: float) -> float:
        due_s = max(due_s, now_s - 1.0)
        while due_s <= now_s:
            pair.act(self._now_ms())
            due_s += self._chance.expovariate(rate)
        return due_s

    def _tell(self, turn: int) -> None:
        for pair in self._pairs.values():
            if turn % TURNS_PER_DIFF == 0:
                pair.flush("depth@100ms", self._now_ms())
                self._tell_partial_depth(pair, "@100ms")
            if turn % TURNS_PER_SECOND == 0:
                pair.flush("depth", self._now_ms())
                self._tell_partial_depth(pair, "")
                self._tell_tickers(pair)
            if turn % TURNS_PER_KLINE == 0:
                self._tell_klines(pair)

    def _tell_partial_depth(self, pair: Pair, cadence: str) -> None:
        for levels in PARTIAL_LEVELS:
            stream = f"depth{levels}{cadence}"
            if self._is_wanted(f"{pair.instrument.symbol.lower()}@{stream}"):
                sides = pair.book.top(BID, levels), pair.book.top(ASK, levels)
                self._publish(pair.write.partial_depth(stream, pair.book.update_id, sides))

    def _tell_tickers(self, pair: Pair) -> None:
        for name in ("ticker", "miniTicker"):
            if self._is_wanted(f"{pair.instrument.symbol.lower()}@{name}"):
                self._publish(pair.write.ticker(name, self._now_ms(), pair.bars.day()))

    def _tell_klines(self, pair: Pair) -> None:
        now_ms = self._now_ms()
        for interval in INTERVALS_MS:
            if self._is_wanted(f"{pair.instrument.symbol.lower()}@kline_{interval}"):
                for bar in pair.bars.of(interval)[-2:]:
                    if bar.close_ms > now_ms - TURNS_PER_KLINE * TURN_S * 2000:
                        self._publish(pair.write.kline(interval, now_ms, bar))

    def _is_wanted(self, stream: str) -> bool:
        return any(stream in listener.streams for listener in self._unsent)

    def _publish(self, frame: StreamFrame) -> None:
        self.published.count(frame.fact)
        for listener, unsent in self._unsent.items():
            if frame.stream in listener.streams:
                unsent.append(frame)
                if len(unsent) > MOST_UNSENT:
                    # The venue does not wait for slow readers either.
                    unsent.clear()
                    listener.wire.abort()

    def depth(self, symbol: str, limit: int) -> bytes | None:
        """
        Return a snapshot in the middle of the stream.

        The first one of one symbol comes from a cache that lags the stream; the first one of another
        ends exactly where a diff message ended. All others are straddled by the next diff.
        """
        pair = self._pairs.get(symbol)
        if pair is None:
            return None
        is_first = symbol not in self._asked
        self._asked.add(symbol)
        if is_first and symbol == STALE_SYMBOL:
            return self._stale
        if is_first and symbol == BOUNDARY_SYMBOL:
            pair.flush("depth@100ms", self._now_ms())
        else:
            pair.act(self._now_ms())
        return pair.snapshot(limit)

    def trades(self, symbol: str, kind: str, query: TradeQuery) -> list[TradeRow] | None:
        """Return rows of the trades so far."""
        pair = self._pairs.get(symbol)
        return pair.trades[kind].page(query, 0) if pair else None

    def body(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return any other endpoint's answer for one symbol, or for all where that exists."""
        return answer_about(self._pairs, path, query, self._now_ms())

    def _now_ms(self) -> int:
        return self._clock() // NS_PER_MS
