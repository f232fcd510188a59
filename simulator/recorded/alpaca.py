"""Alpaca from recordings: every connection gets the session from its beginning."""

import asyncio
from bisect import insort
from collections import defaultdict
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from simulator.connection import Outgoing
from simulator.ledger import Book
from simulator.recorded.alpaca_frames import points_of
from simulator.timeline import SessionClock, Timeline
from simulator.venue import UNREADABLE, Recorded, Session
from simulator.venues.alpaca_listener import EVERY, Listener
from simulator.venues.alpaca_messages import Point, TradeNumbers, time_ns, trade_fact
from simulator.venues.alpaca_rest import Row

CHUNK_FRAMES = 200
CHUNK_BYTES = 128 * 1024
OK = 200


class Answer(msgspec.Struct):
    """A recorded page of trades."""

    trades: dict[str, list[msgspec.Raw] | msgspec.Raw] | None = None


_answer = msgspec.json.Decoder(Answer).decode


class Recording:
    """All recorded sessions of the venue; the control messages in them are said anew to each client."""

    def __init__(self, session: Session) -> None:
        self.published = Book()
        self._clock = SessionClock(Timeline(session.spans), session.speed)
        self._frames: list[tuple[bool, list[Point] | Outgoing]] = []
        self._times_ns: list[int] = []
        self._rows: defaultdict[str, list[tuple[int, Row]]] = defaultdict(list)
        self._bodies: dict[str, bytes] = {}
        self._furthest = 0
        self._symbols: dict[bool, set[str]] = {True: set(), False: set()}
        feeds: set[str] = set()
        for recorded in session.events:
            if recorded.event.direction == "in" and recorded.is_socket:
                self._take_frame(recorded)
                feeds.add(urlsplit(recorded.address).path.rpartition("/")[2])
            elif recorded.event.direction == "in" and recorded.event.status == OK:
                with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                    self._take_body(urlsplit(recorded.address).path, recorded.event.body())
        self.stocks, self.crypto = (sorted(self._symbols[is_crypto] - {""}) for is_crypto in (False, True))
        self.stocks_feed = next((feed for feed in ("sip", "iex", "delayed_sip", "test") if feed in feeds), "sip")

    async def live(self) -> None:
        """Do nothing: a recording moves only for its listeners."""

    async def play(self, listener: Listener) -> None:
        """Send the session from its beginning once there is something to send; what is subscribed later catches up."""
        while not listener.symbols:
            await _until_changed(listener)
        self._clock.start()
        position = 0
        known = _subscriptions(listener)
        while True:
            if new := _subscriptions(listener) - known:
                known |= new
                await self._send(listener, 0, position, new)
            elif position == len(self._frames):
                await _until_changed(listener)
            else:
                position = await self._advance(listener, position)

    def rows(self, symbol: str) -> list[Row]:
        """Return recorded rows, and those of the stream as far as it was played."""
        return [row for position, row in self._rows.get(symbol, ()) if position <= self._furthest]

    def minutes(self, symbol: str) -> list[Row]:  # noqa: ARG002  (the protocol's parameter)
        """Return nothing: bars by REST are given out as they were recorded, or not at all."""
        return []

    def body(self, path: str) -> bytes | None:
        """Return the body recorded for this endpoint."""
        return self._bodies.get(path)

    async def _advance(self, listener: Listener, position: int) -> int:
        wait_s = self._clock.wait_s(self._times_ns[position])
        if wait_s > 0:
            await _until_changed(listener, wait_s)
            return position
        end = position + 1
        while end < min(position + CHUNK_FRAMES, len(self._frames)) and self._clock.wait_s(self._times_ns[end]) <= 0:
            end += 1
        await self._send(listener, position, end, None)
        self._furthest = max(self._furthest, end)
        return end

    async def _send(self, listener: Listener, start: int, end: int, only: set[tuple[str, str]] | None) -> None:
        chunk: list[Outgoing] = []
        for is_crypto, frame in self._frames[start:end]:
            if is_crypto == listener.is_crypto and (outgoing := _outgoing(listener, frame, only)):
                chunk.append(outgoing)
            if len(chunk) >= CHUNK_FRAMES:
                await listener.wire.send(chunk)
                chunk = []
        if chunk:
            await listener.wire.send(chunk)

    def _take_frame(self, recorded: Recorded) -> None:
        body = recorded.event.body()
        points = points_of(body)
        if points == []:
            return
        is_crypto = "/crypto/" in recorded.address
        self._frames.append((is_crypto, Outgoing("", body, ()) if points is None else points))
        self._times_ns.append(recorded.event.received_ns)
        for one in points or ():
            self._symbols[is_crypto].add(one.symbol)
            self.published.count(one.fact)
            if one.channel == "trades":
                with suppress(*UNREADABLE):  # a trade that is none
                    self._keep(one.symbol, one.text, position=len(self._frames))

    def _take_body(self, path: str, body: bytes) -> None:
        self._bodies.setdefault(path, body)
        if path.endswith(("/stocks/trades", "/us/trades")):
            for symbol, rows in (_answer(body).trades or {}).items():
                for raw in rows if isinstance(rows, list) else [rows]:
                    with suppress(*UNREADABLE):  # a trade that is none
                        self._keep(symbol, bytes(raw), position=0)

    def _keep(self, symbol: str, text: bytes, position: int) -> None:
        fields = {name: value for name, value in msgspec.json.decode(text).items() if name not in ("T", "S")}
        raw = msgspec.json.encode(
            {name: msgspec.json.decode(text, type=dict[str, msgspec.Raw])[name] for name in fields}
        )
        numbers = msgspec.json.decode(msgspec.json.encode({"S": symbol, **fields}), type=TradeNumbers)
        row = Row(time_ns(fields["t"]), numbers.x, numbers.i, raw, trade_fact(numbers))
        insort(self._rows[symbol], (position, row), key=lambda pair: pair[1].place)


def _outgoing(listener: Listener, frame: list[Point] | Outgoing, only: set[tuple[str, str]] | None) -> Outgoing | None:
    """Return what a listener gets of a frame; one that cannot be read is told once, as it was."""
    if isinstance(frame, Outgoing):
        return frame if only is None else None
    return listener.outgoing(frame if only is None else [one for one in frame if _is_among(one, only)])


def _subscriptions(listener: Listener) -> set[tuple[str, str]]:
    return {(name, symbol) for name, symbols in listener.channels.items() for symbol in symbols}


def _is_among(one: Point, only: set[tuple[str, str]]) -> bool:
    return (one.channel, one.symbol) in only or (one.channel, EVERY) in only


async def _until_changed(listener: Listener, longest_s: float | None = None) -> None:
    try:
        async with asyncio.timeout(longest_s):
            await listener.changed.wait()
            listener.changed.clear()
    except TimeoutError:
        return
