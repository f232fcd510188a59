"""Upstox from recordings: every connection gets the session from its beginning, as far as it subscribed."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import msgspec
from websockets.frames import Opcode

from simulator.connection import Outgoing
from simulator.ledger import Book, Fact
from simulator.timeline import SessionClock, Timeline
from simulator.venue import UNREADABLE, Recorded, Session
from simulator.venues.upstox_listener import Listener, outgoing
from simulator.venues.upstox_wire import keys_of, only

CHUNK_FRAMES = 500
CHUNK_BYTES = 128 * 1024
OK = 200
CANDLES = "historical-candle"
DAY_CHARACTERS = len("2025-01-31")


class Rows(msgspec.Struct):
    """The rows of a page of candles."""

    candles: list[msgspec.Raw]


class Page(msgspec.Struct):
    """A recorded page of candles; an error has none."""

    data: Rows | None = None


class Start(msgspec.Struct, array_like=True):
    """The first word of a row."""

    time: str


class Recording:
    """All recorded sessions of the venue as one market."""

    def __init__(self, session: Session) -> None:
        self.published = Book()
        # A recording that has ended is quiet while its last status says that the market is open.
        self.more_settings = {"UPSTOX_MUTE_S": "86400", "UPSTOX_MODE": "full"}
        self._clock = SessionClock(Timeline(session.spans), session.speed)
        self._frames: list[tuple[bytes, tuple[str, ...]]] = []
        self._times_ns: list[int] = []
        self._candles: defaultdict[str, dict[str, msgspec.Raw]] = defaultdict(dict)
        for recorded in session.events:
            self._take(recorded)
        if self._candles:  # no tick leads to them
            first = min(start for rows in self._candles.values() for start in rows)
            self.more_settings["UPSTOX_HISTORY_FROM"] = first[:DAY_CHARACTERS]
        seen = {key for _, keys in self._frames for key in keys} | set(self._candles)
        self.keys = sorted(seen)

    async def live(self) -> None:
        """Do nothing: a recording moves only for its listeners."""

    async def play(self, listener: Listener) -> None:
        """Send the session from its beginning; a key that is subscribed to later catches up first."""
        known: set[str] = set()
        position = 0
        self._clock.start()
        while True:
            if new := set(listener.modes) - known:
                known |= new
                await self._send(listener, range(position), new, is_late=True)
            if position == len(self._frames) or (not known and self._frames[position][1]):
                await listener.changed.wait()
                listener.changed.clear()
            else:
                position = await self._advance(listener, position)

    async def _advance(self, listener: Listener, position: int) -> int:
        wait_s = self._clock.wait_s(self._times_ns[position])
        if wait_s > 0:
            await _wait_or_change(listener, wait_s)
            return position
        end = self._end_of_chunk(position, is_subscribed=bool(listener.modes))
        await self._send(listener, range(position, end), set(listener.modes), is_late=False)
        return end

    def _end_of_chunk(self, position: int, *, is_subscribed: bool) -> int:
        size_bytes = 0
        for index in range(position, min(position + CHUNK_FRAMES, len(self._frames))):
            frame, keys = self._frames[index]
            size_bytes += len(frame)
            is_held = bool(keys) and not is_subscribed
            if size_bytes > CHUNK_BYTES or is_held or self._clock.wait_s(self._times_ns[index]) > 0:
                return max(index, position + 1)
        return min(position + CHUNK_FRAMES, len(self._frames))

    async def _send(self, listener: Listener, indices: range, wanted: set[str], *, is_late: bool) -> None:
        """Send what is wanted of some frames, and the status of the market if that is not told already."""
        chunk = []
        for index in indices:
            frame, keys = self._frames[index]
            told = [key for key in keys if key in wanted]
            if told or not (keys or is_late):
                chunk.append(_outgoing(frame if len(told) == len(keys) else only(frame, told), keys))
            if len(chunk) == CHUNK_FRAMES:
                await listener.wire.send(chunk)
                chunk = []
        if chunk:
            await listener.wire.send(chunk)

    def candles(self, key: str, first_day: str, last_day: str) -> list[msgspec.Raw]:
        """Return recorded rows, newest first; today is the last day that was recorded."""
        rows = self._candles.get(key, {})
        today = max(rows, default="")[:DAY_CHARACTERS]
        first, last = first_day or today, last_day or today
        return [rows[start] for start in sorted(rows, reverse=True) if first <= start[:DAY_CHARACTERS] <= last]

    def _take(self, recorded: Recorded) -> None:
        if recorded.event.direction != "in":
            return
        if recorded.is_socket:
            frame = recorded.event.body()
            keys = _keys(frame)
            self._frames.append((frame, keys))
            self._times_ns.append(recorded.event.received_ns)
            for key in keys:
                self.published.count(Fact(key, "tick"))
        elif recorded.event.status == OK and CANDLES in recorded.address:
            with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                self._take_candles(urlsplit(recorded.address).path, recorded.event.body())

    def _take_candles(self, path: str, body: bytes) -> None:
        words = path.partition(f"{CANDLES}/")[2].removeprefix("intraday/").split("/")
        page = msgspec.json.decode(body, type=Page)
        for row in page.data.candles if page.data else ():
            self._candles[unquote(words[0])][msgspec.json.decode(row, type=Start).time] = row


def _outgoing(frame: bytes, keys: tuple[str, ...]) -> Outgoing:
    return outgoing(frame) if keys else Outgoing("", frame, (), Opcode.BINARY)


def _keys(frame: bytes) -> tuple[str, ...]:
    """Return the instruments of a frame; none of one that cannot be read: it is passed on as it was, to everybody."""
    try:
        return keys_of(frame)
    except UNREADABLE:
        return ()


async def _wait_or_change(listener: Listener, wait_s: float) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await listener.changed.wait()
            listener.changed.clear()
    except TimeoutError:
        return
