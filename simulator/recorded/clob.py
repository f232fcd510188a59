"""Polymarket's CLOB from recordings: every connection gets the session from its beginning."""

import asyncio
import re
from bisect import bisect_left
from collections import defaultdict
from contextlib import suppress

import msgspec

from simulator.ledger import Book, Fact, scaled
from simulator.timeline import SessionClock, Timeline
from simulator.venue import UNREADABLE, Recorded, Session
from simulator.venues.clob_listener import ClobFrame, Listener

CHUNK_FRAMES = 500
OK = 200
EVERYBODY = ""
PONG = b"PONG"
TOKEN = re.compile("[0-9]{20,80}")  # shorter ones are names of markets to the fleet, and nobody here knows them


class Message(msgspec.Struct, gc=False):
    """What tells whom a recorded message is for, and what is in it."""

    event_type: str = ""
    asset_id: str = ""
    price_changes: list[dict[str, str | None]] = []
    changes: list[dict[str, str]] = []
    bids: list[msgspec.Raw] = []
    asks: list[msgspec.Raw] = []
    price: str = "0"
    size: str = "0"
    side: str = ""


class RestBook(msgspec.Struct, gc=False):
    """Whose book an answer is."""

    asset_id: str


_decode = msgspec.json.Decoder(Message).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Recording:
    """All recorded sessions of the market channel, and the books that were asked for."""

    def __init__(self, session: Session) -> None:
        self.published = Book()
        self._clock = SessionClock(Timeline(session.spans), session.speed)
        self._frames: list[ClobFrame] = []
        self._times_ns: list[int] = []
        self._of_token: defaultdict[str, list[int]] = defaultdict(list)
        self._books: defaultdict[str, list[bytes]] = defaultdict(list)
        self._next_book: dict[str, int] = {}
        for recorded in session.events:
            if recorded.event.direction == "in":
                self._take(recorded)

    def chosen(self) -> str:
        """Return every token that was recorded."""
        return ",".join(sorted({token for token in (*self._of_token, *self._books) if TOKEN.fullmatch(token)}))

    async def live(self) -> None:
        """Do nothing: a recording moves only for its listeners."""

    async def play(self, listener: Listener) -> None:
        """Send the session from its beginning; a token subscribed later catches up first."""
        known: set[str] = set()
        position = 0
        while True:
            if not listener.tokens:
                await _wait_or_change(listener, None)
                continue
            self._clock.start()
            if new := {*listener.tokens, EVERYBODY} - known:
                await self._catch_up(listener, new, known, position)
                known |= new
                self._next_book |= dict.fromkeys(new, 0)
            if position == len(self._frames):
                await _wait_or_change(listener, None)
            else:
                position = await self._advance(listener, position)

    def book(self, token: str) -> bytes | None:
        """Return the token's books in recorded order, the last one for ever, anew for each new listener."""
        books = self._books.get(token)
        if not books:
            return None
        index = min(self._next_book.get(token, 0), len(books) - 1)
        self._next_book[token] = index + 1
        return books[index]

    async def _catch_up(self, listener: Listener, new: set[str], known: set[str], position: int) -> None:
        """Send what was missed, unless it came with another token."""
        earlier = {index for token in new for index in self._of_token[token][: self._before(token, position)]}
        missed = [index for index in sorted(earlier) if known.isdisjoint(self._frames[index].tokens)]
        for start in range(0, len(missed), CHUNK_FRAMES):
            await listener.wire.send([self._frames[index].outgoing for index in missed[start : start + CHUNK_FRAMES]])

    def _before(self, token: str, position: int) -> int:
        return bisect_left(self._of_token[token], position)

    async def _advance(self, listener: Listener, position: int) -> int:
        wait_s = self._clock.wait_s(self._times_ns[position])
        if wait_s > 0:
            await _wait_or_change(listener, wait_s)
            return position
        end = position + 1
        last = min(position + CHUNK_FRAMES, len(self._frames))
        while end < last and self._clock.wait_s(self._times_ns[end]) <= 0:
            end += 1
        chunk = [frame.outgoing for frame in self._frames[position:end] if listener.wants(frame)]
        if chunk:
            await listener.wire.send(chunk)
        return end

    def _take(self, recorded: Recorded) -> None:
        body = recorded.event.body()
        if recorded.is_socket:
            if body != PONG:
                self._take_frame(body, recorded.event.received_ns)
        elif recorded.event.status == OK:
            with suppress(*UNREADABLE):  # an answer that is none leads to nothing
                self._take_answer(recorded.address, body)

    def _take_frame(self, body: bytes, received_ns: int) -> None:
        kind, facts = _read(body)
        tokens = tuple(dict.fromkeys(fact.symbol for fact in facts if fact.symbol))
        for token in tokens or (EVERYBODY,):
            self._of_token[token].append(len(self._frames))
        self._frames.append(ClobFrame(kind, tokens, body, facts))
        self._times_ns.append(received_ns)
        for fact in facts:
            self.published.count(fact)

    def _take_answer(self, address: str, body: bytes) -> None:
        path = address.partition("?")[0]
        if path.endswith("/books"):
            for raw in _list(body):
                self._books[msgspec.json.decode(raw, type=RestBook).asset_id].append(bytes(raw))
        elif path.endswith("/book"):
            self._books[msgspec.json.decode(body, type=RestBook).asset_id].append(body)


def _read(body: bytes) -> tuple[str, tuple[Fact, ...]]:
    """Return a frame's kind and facts; none of one that cannot be read: it is passed on as it was, to everybody."""
    try:
        messages = [_decode(raw) for raw in _list(body)] if body.startswith(b"[") else [_decode(body)]
        facts = tuple(fact for message in messages for fact in _facts(message))
    except UNREADABLE:
        return "", ()
    return messages[0].event_type if messages else "", facts


def _facts(message: Message) -> list[Fact]:
    """Return one fact for each level of a change, one for any other message."""
    kind = message.event_type
    if kind == "price_change":
        tokens = [one.get("asset_id") or "" for one in message.price_changes]
        return [Fact(token, kind) for token in tokens or [message.asset_id] * max(1, len(message.changes))]
    if kind == "last_trade_price":
        numbers = scaled(message.price), scaled(message.size)
        return [Fact(message.asset_id, kind, 0, 0, *numbers, message.side == "BUY")]
    return [Fact(message.asset_id, kind or "unknown")]


async def _wait_or_change(listener: Listener, wait_s: float | None) -> None:
    try:
        async with asyncio.timeout(wait_s):
            await listener.changed.wait()
            listener.changed.clear()
    except TimeoutError:
        return
