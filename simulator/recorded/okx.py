"""OKX from recordings: every connection gets the session from its beginning."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from urllib.parse import parse_qsl, urlsplit

import msgspec

from simulator.ledger import Book
from simulator.recorded.okx_frames import TRADES, channel_frame, rest_row, snapshot_after, trade_rows
from simulator.recorded.turns import Turns
from simulator.timeline import SessionClock, Timeline
from simulator.trades import TradeQuery, TradeRow, TradeStore
from simulator.venue import UNREADABLE, Recorded, Session
from simulator.venues.okx_listener import Arg, ChannelFrame, Listener

CHUNK_FRAMES = 500
CHUNK_BYTES = 128 * 1024
OK = 200
API = "/api/v5/"
EVERYBODY = ""
ALL_ROWS = TradeQuery(limit=2**62, from_id=0)
TRADE_ENDPOINTS = ("market/trades", "market/history-trades")
SHAPES = ("sz", "limit", "after", "before", "bar")  # how much is wanted, not of what: a recording holds what it holds

Question = tuple[str, frozenset[tuple[str, str]]]


class Recording:
    """
    All recorded sessions of the venue as one market.

    A connection is told everything that was recorded of the instruments it subscribed to, on the socket where it was
    recorded. Where several sockets told of the same at one time, it hears one of them: their books must not be mixed.
    """

    is_recording = True

    def __init__(self, session: Session) -> None:
        self.published = Book()
        self._clock = SessionClock(Timeline(session.spans), session.speed)
        self._frames: list[ChannelFrame] = []
        self._times_ns: list[int] = []
        self._trades: defaultdict[str, TradeStore] = defaultdict(TradeStore)
        self._bodies: defaultdict[Question, list[list[bytes]]] = defaultdict(list)
        self._asked: defaultdict[Question, int] = defaultdict(int)
        self._furthest = 0
        self._spans = sorted(session.spans)
        self._take_frames([one for one in session.events if one.event.direction == "in" and one.is_socket])
        for recorded in session.events:
            if not recorded.is_socket and recorded.event.status == OK:
                with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                    self._take_body(recorded)
        told = {(frame.channel, frame.symbol) for frame in self._frames}
        self._told_twice = {symbol for _, symbol in told if all((channel, symbol) in told for channel in TRADES)}
        self.symbols = sorted(({frame.symbol for frame in self._frames} | self._symbols_asked_for()) - {EVERYBODY})

    async def live(self) -> None:
        """Do nothing: a recording moves only for its listeners."""

    def knows(self, channel: str, symbol: str) -> bool:  # noqa: ARG002  (a recording holds what it holds)
        """Return whether an instrument was recorded."""
        return symbol in self.symbols

    def settings(self) -> dict[str, str]:
        """Return settings under which what was not recorded is not missed."""
        quiet = {"OKX_MUTE_S": "86400"}
        has_full_books = any(name == "market/books-full" for name, _ in self._bodies)
        return quiet if has_full_books else quiet | {"OKX_BOOKS_FULL_INTERVAL_S": "1e9"}

    async def play(self, listener: Listener) -> None:
        """Send the session from its beginning; an instrument subscribed later catches up first."""
        listener.changed.clear()
        while not listener.symbols:
            await listener.changed.wait()
            listener.changed.clear()
        self._clock.start()
        known: set[str] = set()
        begun: set[Arg] = set()
        position = 0
        while True:
            fresh = listener.take_fresh()
            await self._send(listener, self._again([arg for arg in fresh if arg in begun], listener.path, position))
            begun |= set(fresh)
            if new := listener.symbols - known:
                known |= new
                await self._send(listener, [one for one in self._frames[:position] if one.symbol in new])
            if position == len(self._frames):
                await listener.changed.wait()
                listener.changed.clear()
            else:
                position = await self._advance(listener, position)

    async def _send(self, listener: Listener, frames: list[ChannelFrame]) -> None:
        wanted = [one for one in frames if one.path == listener.path and self._is_for(listener, one)]
        for start in range(0, len(wanted), CHUNK_FRAMES):
            await listener.send(wanted[start : start + CHUNK_FRAMES])

    def _is_for(self, listener: Listener, frame: ChannelFrame) -> bool:
        """Return whether a listener gets a message: where trades were told singly and in sums, as it asked for them."""
        is_told_twice = frame.channel in TRADES and frame.symbol in self._told_twice
        return not is_told_twice or (frame.channel, frame.symbol) in listener.args

    async def _advance(self, listener: Listener, position: int) -> int:
        wait_s = self._clock.wait_s(self._times_ns[position])
        if wait_s > 0:
            await _wait_or_change(listener, wait_s)
            return position
        end = self._end_of_chunk(position)
        wanted = listener.symbols | {EVERYBODY}
        await self._send(listener, [one for one in self._frames[position:end] if one.symbol in wanted])
        await asyncio.sleep(0)  # what is not for this listener takes its turn too
        self._furthest = max(self._furthest, end)
        return end

    def _end_of_chunk(self, position: int) -> int:
        size_bytes = 0
        for index in range(position, min(position + CHUNK_FRAMES, len(self._frames))):
            size_bytes += len(self._frames[index].payload)
            if size_bytes > CHUNK_BYTES or self._clock.wait_s(self._times_ns[index]) > 0:
                return max(index, position + 1)
        return min(position + CHUNK_FRAMES, len(self._frames))

    def _again(self, args: list[Arg], path: str, position: int) -> list[ChannelFrame]:
        """Return what a repeated subscription begins with: the book as of now, or the most recent trade."""
        played = [one for one in self._frames[:position] if one.path == path]
        found: list[ChannelFrame | None] = []
        for channel, symbol in args:
            if channel in TRADES:
                found += [one for one in played if one.symbol == symbol and one.channel in TRADES][-1:]
            elif channel.startswith("books"):
                books = [one for one in played if one.symbol == symbol and b'"action"' in one.payload]
                told = channel if any(one.channel == channel for one in books) else books[-1].channel if books else ""
                with suppress(*UNREADABLE):  # nobody knows the book
                    found.append(snapshot_after([one for one in books if one.channel == told]))
        return [one for one in found if one is not None]

    def rows(self, name: str, query: dict[str, str]) -> list[bytes] | None:
        """Return the answers to a question in recorded order, the last one for ever; None if it was not recorded."""
        question = _question(name, query)
        bodies = self._bodies.get(question)
        if not bodies:
            return None
        index = min(self._asked[question], len(bodies) - 1)
        self._asked[question] += 1
        return bodies[index]

    def trades(self, symbol: str) -> list[TradeRow] | None:
        """Return recorded rows, and those of the channels as far as they were played."""
        if symbol not in self._trades:
            return [] if symbol in self.symbols else None
        return self._trades[symbol].page(ALL_ROWS, self._furthest)

    def _take_frames(self, events: list[Recorded]) -> None:
        frames = [(one, frame) for one in events if (frame := channel_frame(one)) is not None]
        turns: defaultdict[int, Turns] = defaultdict(Turns)
        for recorded, frame in frames:
            turns[self._session(recorded)].note(recorded.event, _subject(frame))
        for recorded, frame in frames:
            if not turns[self._session(recorded)].has(recorded.event, _subject(frame)):
                continue
            self._frames.append(frame)
            self._times_ns.append(recorded.event.received_ns)
            self.published.count(frame.fact)
            for row in trade_rows(frame, position=len(self._frames)):
                self._trades[frame.symbol].add(row)

    def _session(self, recorded: Recorded) -> int:
        """Return in which recorded session a message came."""
        at_ns = recorded.event.received_ns
        return next(number for number, (start_ns, stop_ns) in enumerate(self._spans) if start_ns <= at_ns <= stop_ns)

    def _take_body(self, recorded: Recorded) -> None:
        url = urlsplit(recorded.address)
        name, query = url.path.removeprefix(API), dict(parse_qsl(url.query))
        data = msgspec.json.decode(recorded.event.body(), type=dict[str, msgspec.Raw]).get("data", msgspec.Raw(b"[]"))
        rows = msgspec.json.decode(data, type=list[msgspec.Raw])
        if name in TRADE_ENDPOINTS:
            for row in rows:
                with suppress(*UNREADABLE):  # a trade that is none
                    self._trades[query.get("instId", "")].add(rest_row(row))
        else:
            self._bodies[_question(name, query)].append([bytes(row) for row in rows])

    def _symbols_asked_for(self) -> set[str]:
        asked = {value for _, query in self._bodies for name, value in query if name == "instId"}
        return (asked | set(self._trades)) - {""}


def _subject(frame: ChannelFrame) -> tuple[str, str, str]:
    return frame.path, frame.channel, frame.symbol


def _question(name: str, query: dict[str, str]) -> Question:
    return name, frozenset((key, value) for key, value in query.items() if key not in SHAPES)


async def _wait_or_change(listener: Listener, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await listener.changed.wait()
            listener.changed.clear()
    except TimeoutError:
        return
