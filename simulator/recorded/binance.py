"""Binance from recordings: every connection gets the session from its beginning."""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import msgspec

from simulator.ledger import Book
from simulator.recorded.binance_frames import rest_rows, stream_frame, stream_row
from simulator.recorded.binance_klines import Klines
from simulator.timeline import SessionClock, Timeline
from simulator.trades import TradeQuery, TradeRow, TradeStore
from simulator.venue import UNREADABLE, Recorded, Session
from simulator.venues.binance_listener import Listener, StreamFrame

CHUNK_FRAMES = 500
CHUNK_BYTES = 128 * 1024
OK = 200
EVERYBODY = ""
TRADE_KINDS = {"trades": "trade", "historicalTrades": "trade", "aggTrades": "aggTrade"}
STREAMED_TRADES = frozenset(TRADE_KINDS.values())


class Recording:
    """All recorded sessions of the venue as one market."""

    def __init__(self, session: Session) -> None:
        self.published = Book()
        self._clock = SessionClock(Timeline(session.spans), session.speed)
        self._frames: list[StreamFrame] = []
        self._times_ns: list[int] = []
        self._of_symbol: defaultdict[str, list[int]] = defaultdict(list)
        self._snapshots: defaultdict[str, list[bytes]] = defaultdict(list)
        self._next_snapshot: dict[str, int] = {}
        self._trades: defaultdict[tuple[str, str], TradeStore] = defaultdict(TradeStore)
        self._bodies: dict[tuple[str, frozenset[tuple[str, str]]], bytes] = {}
        self._klines = Klines()
        self._last_quote: dict[str, int] = {}
        self._symbols_of_streams: set[str] = set()
        self._symbols_of_questions: set[str] = set()
        self._furthest = 0
        for recorded in session.events:
            self._take(recorded)
        kinds = Counter(symbol for (symbol, _), store in self._trades.items() if store.is_streamed)
        self._told_twice = {symbol for symbol, count in kinds.items() if count > 1}
        self.symbols = sorted(self._all_symbols() - {EVERYBODY})

    @property
    def histories(self) -> list[str]:
        """Return where the trades begin that only answers hold: no stream leads to them."""
        streamed = {symbol for (symbol, _), store in self._trades.items() if store.is_streamed}
        longest = {
            symbol: (kind, store)
            for (symbol, kind), store in sorted(self._trades.items(), key=lambda item: len(item[1]))
            if symbol not in streamed and len(store)
        }
        return [f"{symbol}@{kind}:{store.first_id}" for symbol, (kind, store) in sorted(longest.items())]

    async def live(self) -> None:
        """Do nothing: a recording moves only for its listeners."""

    async def play(self, listener: Listener) -> None:
        """Send the session from its beginning; a symbol subscribed later catches up first."""
        listener.changed.clear()
        while not listener.symbols:
            await listener.changed.wait()
            listener.changed.clear()
        self._clock.start()
        known: set[str] = set()
        position = 0
        while True:
            if new := (listener.symbols | {EVERYBODY}) - known:
                known |= new
                self._next_snapshot |= dict.fromkeys(new, 0)
                await self._catch_up(listener, new, position)
            if position == len(self._frames):
                await listener.changed.wait()
                listener.changed.clear()
            else:
                position = await self._advance(listener, position)

    async def _catch_up(self, listener: Listener, symbols: set[str], position: int) -> None:
        missed = sorted(
            index for symbol in symbols for index in self._of_symbol[symbol][: self._before(symbol, position)]
        )
        for start in range(0, len(missed), CHUNK_FRAMES):
            chunk = missed[start : start + CHUNK_FRAMES]
            wanted = [self._frames[index] for index in chunk if self._is_for(listener, self._frames[index])]
            await listener.wire.send([listener.outgoing(frame) for frame in wanted])

    def _is_for(self, listener: Listener, frame: StreamFrame) -> bool:
        """Return whether a listener gets a frame: where trades were told singly and in sums, as it asked for them."""
        is_told_twice = frame.fact.kind in STREAMED_TRADES and frame.symbol in self._told_twice
        return not is_told_twice or frame.stream in listener.streams

    def _before(self, symbol: str, position: int) -> int:
        return bisect_left(self._of_symbol[symbol], position)

    async def _advance(self, listener: Listener, position: int) -> int:
        wait_s = self._clock.wait_s(self._times_ns[position])
        if wait_s > 0:
            await _wait_or_change(listener, wait_s)
            return position
        end = self._end_of_chunk(position)
        wanted = listener.symbols | {EVERYBODY}
        frames = (frame for frame in self._frames[position:end] if frame.symbol in wanted)
        chunk = [listener.outgoing(frame) for frame in frames if self._is_for(listener, frame)]
        if chunk:
            await listener.wire.send(chunk)
        self._furthest = max(self._furthest, end)
        return end

    def _end_of_chunk(self, position: int) -> int:
        size_bytes = 0
        for index in range(position, min(position + CHUNK_FRAMES, len(self._frames))):
            size_bytes += len(self._frames[index].combined)
            if size_bytes > CHUNK_BYTES or self._clock.wait_s(self._times_ns[index]) > 0:
                return max(index, position + 1)
        return min(position + CHUNK_FRAMES, len(self._frames))

    def depth(self, symbol: str, limit: int) -> bytes | None:  # noqa: ARG002  (a recording holds what it holds)
        """Return the symbol's snapshots in recorded order, the last one for ever, anew for each new listener."""
        snapshots = self._snapshots.get(symbol)
        if not snapshots:
            return None
        index = min(self._next_snapshot.get(symbol, 0), len(snapshots) - 1)
        self._next_snapshot[symbol] = index + 1
        return snapshots[index]

    def trades(self, symbol: str, kind: str, query: TradeQuery) -> list[TradeRow] | None:
        """Return recorded rows, and those of the stream as far as it was played."""
        store = self._trades.get((symbol, kind))
        if store is None:
            return [] if symbol in self.symbols else None
        return store.page(query, self._furthest)

    def body(self, path: str, query: dict[str, str]) -> bytes | None:
        """Return the body recorded for this question, else for this symbol."""
        if path == "klines":
            return self._klines.page(query)
        exact = self._bodies.get((path, frozenset(query.items())))
        symbol = {("symbol", query["symbol"])} if "symbol" in query else set()
        return exact or next((b for (p, asked), b in self._bodies.items() if p == path and symbol <= asked), None)

    def _all_symbols(self) -> set[str]:
        asked = {value for _, query in self._bodies for name, value in query if name == "symbol"}
        traded = {symbol for symbol, _ in self._trades}
        return (
            set(self._of_symbol)
            | self._symbols_of_streams
            | self._symbols_of_questions
            | traded
            | set(self._snapshots)
            | asked
        )

    def _take(self, recorded: Recorded) -> None:
        if recorded.event.direction != "in":
            return
        if recorded.is_socket:
            self._take_frame(recorded)
        elif recorded.event.status == OK:
            url = urlsplit(recorded.address)
            name = url.path.removeprefix("/").partition("/")[2].partition("/")[2]
            with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                self._take_body(name, dict(parse_qsl(url.query)), recorded.event.body())

    def _take_frame(self, recorded: Recorded) -> None:
        frame = stream_frame(recorded.event.body(), recorded.address)
        if frame is None:
            return
        frame = self._chained(frame)
        index = len(self._frames)
        self._frames.append(frame)
        self._times_ns.append(recorded.event.received_ns)
        self._of_symbol[frame.symbol].append(index)
        if frame.stream and not frame.stream.startswith("!"):
            self._symbols_of_streams.add(frame.stream.partition("@")[0].upper())
        self.published.count(frame.fact)
        if row := stream_row(frame, position=index + 1):
            self._trades[frame.symbol, frame.fact.kind].add(row)

    def _chained(self, frame: StreamFrame) -> StreamFrame:
        if frame.fact.kind != "bookTicker":
            return frame
        # A quote stands for all update ids since the one before it, so that the ledger sees a lost one.
        update_id = frame.fact.last_id
        previous = self._last_quote.get(frame.symbol, update_id - 1)
        self._last_quote[frame.symbol] = update_id
        first_id = previous + 1 if previous < update_id else update_id
        return frame._replace(fact=frame.fact._replace(first_id=first_id))

    def _take_body(self, name: str, query: dict[str, str], body: bytes) -> None:
        symbol = query.get("symbol", "")
        if name == "depth":
            self._snapshots[symbol].append(body)
        elif kind := TRADE_KINDS.get(name):
            for raw in msgspec.json.decode(body, type=list[msgspec.Raw]):
                with suppress(*UNREADABLE):  # a trade that is none
                    self._trades[symbol, kind].add(rest_rows(symbol, kind, bytes(raw)))
        elif name == "klines":
            self._symbols_of_questions.add(symbol)
            self._klines.take(query, body)
        else:
            self._bodies[name, frozenset(query.items())] = body


async def _wait_or_change(listener: Listener, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await listener.changed.wait()
            listener.changed.clear()
    except TimeoutError:
        return
